//! Systems that take extensions and build no packages themselves. One system is one entry of [`HOSTS`].

use super::Defaults;

/// What is to know about one system.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Target key, for example `flatcar`.
    pub key: &'static str,
    /// Words for people.
    pub title: &'static str,
    /// Key of the Debian-family distribution whose packages its extensions are made of.
    pub distro: &'static str,
    /// What it wants of images.
    pub defaults: Defaults,
}

/// Every such system.
pub(crate) const HOSTS: &[Host] = &[Host {
    key: "flatcar",
    title: "Flatcar Container Linux",
    distro: "noble",
    // It looks for /etc/extensions/NAME.raw.
    defaults: Defaults { os_id: "flatcar", level: "1.0", plain_name: true },
}];

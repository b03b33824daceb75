//! Debian's names of architectures.

use dalec_llb::Platform;

/// Returns Debian's name of the architecture of `platform`, for example `armhf` for `linux/arm/v7`.
pub fn architecture(platform: &Platform) -> &str {
    match (platform.architecture.as_str(), platform.variant.as_str()) {
        ("386", _) => "i386",
        ("arm", "v5" | "v6") => "armel",
        ("arm", _) => "armhf",
        ("ppc64le", _) => "ppc64el",
        ("mips64le", _) => "mips64el",
        (other, _) => other,
    }
}

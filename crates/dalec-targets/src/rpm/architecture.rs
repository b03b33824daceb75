//! RPM's names of architectures.

use dalec_llb::Platform;

/// Returns RPM's name of the architecture of `platform`, for example `x86_64` for `linux/amd64`.
pub fn architecture(platform: &Platform) -> &str {
    match (platform.architecture.as_str(), platform.variant.as_str()) {
        ("arm", "v6") => "armv6hl",
        (other, _) => of_go(other),
    }
}

/// Returns RPM's name of an architecture by its name in Go, which specs use too; other names stay.
pub fn of_go(name: &str) -> &str {
    match name {
        "amd64" => "x86_64",
        "386" => "i686",
        "arm64" => "aarch64",
        "arm" => "armv7hl",
        "loong64" => "loongarch64",
        other => other,
    }
}

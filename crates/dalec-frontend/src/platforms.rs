//! Platforms between the rooms that each have their own word for them.

use dalec_spec::Platform as SpecPlatform;

/// Returns `platform` as the graph writes it.
pub fn for_graph(platform: &SpecPlatform) -> dalec_llb::Platform {
    dalec_llb::Platform {
        os: platform.os.clone(),
        architecture: platform.arch.clone(),
        variant: platform.variant.clone(),
    }
}

//! What is left of root's rights in a sandbox: the 14 capabilities that other container engines leave by default, without
//! those over the network where it is the host's.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::Network;
use crate::userns::Mode;

/// Enough for package managers and builds; nothing that reaches out of the namespaces.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// What would reach the network of the host: reading and forging its packets, and taking its well-known ports.
const NETWORK: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_BIND_SERVICE);

/// Returns the capabilities that a sandbox keeps. In a user namespace, none of them holds for the host's network.
pub(super) fn kept(mode: Mode, network: Network) -> CapabilitySet {
    match (mode, network) {
        (Mode::Privileged, Network::Host) => KEPT.difference(NETWORK),
        _ => KEPT,
    }
}

/// Makes everything but the kept capabilities unattainable for programs that are executed from now on.
pub(super) fn limit_bounding_set(kept: CapabilitySet) -> Result<(), Errno> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The first number that this kernel does not know.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Gives up all but the kept capabilities in this process. An engine in a container may have fewer to begin with.
pub(super) fn drop_to(kept: CapabilitySet) -> Result<(), Errno> {
    let kept = rustix::thread::capabilities(None)?.permitted & kept;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

//! What is left of root's rights in a sandbox: the 14 capabilities that other container engines leave by default.
//!
//! A program that has a capability of its own from its file does not start where that capability is unattainable, so even
//! root on the host's network keeps all of them; what raw packets would reach there is refused by the system call filter.
//! Low ports of the host can be listened on there, as in steps that other engines give the host's network.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Enough for package managers and builds. In a user namespace, none of them holds for the host's network.
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

/// Makes everything but the kept capabilities unattainable for programs that are executed from now on.
pub(super) fn limit_bounding_set() -> Result<(), Errno> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if KEPT.contains(capability) {
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
pub(super) fn drop_to_kept() -> Result<(), Errno> {
    let kept = rustix::thread::capabilities(None)?.permitted & KEPT;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}

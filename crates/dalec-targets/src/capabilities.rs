//! File capabilities in the text form that `setcap` reads.

use dalec_spec::target_spec::{Artifacts, Capability};

/// Returns `NAME=FLAGS` items; a capability in no set drops out.
pub(crate) fn text(capabilities: &[Capability]) -> String {
    let items = capabilities.iter().filter_map(|capability| {
        let flags: String =
            [(capability.effective, 'e'), (capability.inheritable, 'i'), (capability.permitted, 'p')]
                .into_iter()
                .filter_map(|(set, flag)| set.then_some(flag))
                .collect();
        (!flags.is_empty()).then(|| format!("{}={flags}", capability.name))
    });
    items.collect::<Vec<_>>().join(" ")
}

/// Returns whether any file gets capabilities.
pub(crate) fn any(artifacts: &Artifacts) -> bool {
    let kinds = [&artifacts.binaries, &artifacts.libs, &artifacts.libexec, &artifacts.opt];
    kinds.iter().any(|kind| kind.values().any(|artifact| !text(&artifact.capabilities).is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ART-011: flags in the order e, i, p.
    #[test]
    fn flags() {
        let capability = |name: &str, effective, permitted, inheritable| Capability {
            name: name.into(),
            effective,
            permitted,
            inheritable,
        };
        let list = [
            capability("cap_net_raw", true, true, true),
            capability("cap_kill", false, false, false),
            capability("cap_chown", false, true, false),
        ];
        assert_eq!(text(&list), "cap_net_raw=eip cap_chown=p");
    }
}

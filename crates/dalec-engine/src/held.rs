//! The results that hosted frontends hold: their graphs take bounded memory, and go when nobody can name them any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::pb;
use dalec_gateway::Reference;
use prost::Message;

use crate::error::{Error, Result};
use crate::solver::locked;

/// Bytes of graphs that a hosted frontend may hold, together with those that it calls.
const MAX_GRAPHS: usize = 256 << 20;

/// Bytes that an op takes beside its own.
const OP_COST: usize = 1 << 10;

/// What one session holds. The program's own session, which is nobody's guest, holds what it likes.
#[derive(Debug, Default)]
pub struct Held {
    /// Bytes that the guest and those it calls hold; none for the program's own session.
    total: Option<Arc<AtomicUsize>>,
    results: Mutex<HashMap<Reference, Entry>>,
}

/// What is known of one result.
#[derive(Debug, Clone, Copy)]
struct Entry {
    cost: usize,
    /// Whether graphs may name it, wherever they went.
    named: bool,
}

impl Held {
    /// Returns what a frontend holds that this one calls.
    pub fn calling(&self) -> Self {
        Self { total: Some(self.total.clone().unwrap_or_default()), results: Mutex::default() }
    }

    /// Notes the result of `definition`.
    ///
    /// # Errors
    /// When that is more than a guest may hold.
    pub fn add(&self, reference: &Reference, definition: &pb::Definition) -> Result<()> {
        let Some(total) = &self.total else { return Ok(()) };
        let cost = definition.encoded_len() + OP_COST * definition.def.len();
        if total.fetch_add(cost, Ordering::SeqCst).saturating_add(cost) > MAX_GRAPHS {
            total.fetch_sub(cost, Ordering::SeqCst);
            let most = MAX_GRAPHS >> 20;
            return Err(Error::Request(format!("this frontend has solved graphs of more than {most} MiB")));
        }
        locked(&self.results).insert(reference.clone(), Entry { cost, named: false });
        Ok(())
    }

    /// Notes that graphs may name a result from now on.
    pub fn name(&self, reference: &Reference) {
        if let Some(entry) = locked(&self.results).get_mut(reference) {
            entry.named = true;
        }
    }

    /// Takes over what `called`, which has ended, returned or let graphs name; returns the rest, to be forgotten.
    pub fn take_over(&self, called: &Self, returned: &[&Reference]) -> Vec<Reference> {
        let results = std::mem::take(&mut *locked(&called.results));
        let (kept, rest): (HashMap<_, _>, HashMap<_, _>) =
            results.into_iter().partition(|(name, entry)| entry.named || returned.contains(&name));
        if let Some(total) = &self.total {
            total.fetch_sub(rest.values().map(|entry| entry.cost).sum(), Ordering::SeqCst);
            locked(&self.results).extend(kept);
        }
        rest.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_returned_nor_named_is_forgotten_and_makes_room() {
        let graph = pb::Definition { def: vec![vec![0; MAX_GRAPHS / 3]], ..pb::Definition::default() };
        let reference = |name: &str| Reference(name.to_owned());
        let own = Held::default();
        (0..10).for_each(|number| own.add(&reference(&number.to_string()), &graph).unwrap());
        let guest = own.calling();
        let called = guest.calling();
        called.add(&reference("returned"), &graph).unwrap();
        called.add(&reference("lost"), &graph).unwrap();
        // They share what they may hold.
        let said = guest.add(&reference("more"), &graph).unwrap_err().to_string();
        assert_eq!(said, "this frontend has solved graphs of more than 256 MiB");
        assert_eq!(guest.take_over(&called, &[&reference("returned")]), [reference("lost")]);
        guest.add(&reference("more"), &graph).unwrap();
        guest.add(&reference("again"), &graph).unwrap_err();
        guest.name(&reference("returned"));
        assert_eq!(own.take_over(&guest, &[]), [reference("more")]);
        // Another guest has room of its own.
        own.calling().add(&reference("another"), &graph).unwrap();
    }
}

//! Build contexts: directories that the client serves, or whatever else a named context stands for.

use dalec_llb::{Local, State, pb};
use dalec_spec::target_spec::Source;
use prost::Message;

use super::{Planner, Tree};
use crate::error::PlanError;
use crate::locate::locate;

/// The main context.
pub(super) const MAIN: &str = "context";

/// Returns the name a context is looked up by; the main one may be left unnamed.
pub(super) fn key(name: &str) -> &str {
    if name.is_empty() { MAIN } else { name }
}

/// Plans a context source.
///
/// A directory that the client serves is asked for what the source takes and no more: other files are neither
/// read nor waited for. Without `path` nothing is left to do; otherwise, and for contexts of other kinds, a copy
/// picks the part that is taken.
pub(super) fn plan(
    planner: &Planner<'_>,
    name: &str,
    source: &Source,
    context: &str,
    path: &str,
) -> Result<Tree, PlanError> {
    let context = key(context);
    let state = planner
        .answers
        .contexts
        .get(context)
        .ok_or_else(|| PlanError::MissingContext { name: context.to_owned(), span: source.span })?;
    let Some(local) = as_local(state) else { return Ok(planner.part(name, source, state, path)) };
    let narrowed = State::local(narrow(planner, local, name, source, path));
    Ok(if path.is_empty() {
        Tree { state: narrowed, path: "/".into(), is_dir: true }
    } else {
        planner.filtered(name, source, &narrowed, path)
    })
}

/// Adds the filters of `source` to what a directory is asked for.
///
/// With `path`, its includes are left to the copy: a followed path is transferred as a whole, and it must be
/// followed because it may be a symbolic link.
fn narrow(planner: &Planner<'_>, local: Local, name: &str, source: &Source, path: &str) -> Local {
    let below = |patterns: &[String]| -> Vec<String> {
        patterns
            .iter()
            .map(|pattern| match pattern.strip_prefix('!') {
                _ if path.is_empty() => pattern.clone(),
                Some(negated) => format!("!{path}/{negated}"),
                None => format!("{path}/{pattern}"),
            })
            .collect()
    };
    let mut exclude = local.exclude;
    exclude.extend(below(&source.excludes));
    let (include, follow) = if path.is_empty() {
        (source.includes.clone(), Vec::new())
    } else {
        (vec![path.to_owned()], vec![path.to_owned()])
    };
    Local {
        include,
        exclude,
        follow,
        label: format!("Read source {name}"),
        locations: locate(planner.source_map, [source.span]).into_iter().collect(),
        ..local
    }
}

/// Returns how to ask for `state` if it is a directory that the client serves, unfiltered but for excludes.
fn as_local(state: &State) -> Option<Local> {
    // The platform is not part of what is read back.
    let definition = state.marshal(&dalec_llb::Platform::linux("amd64"));
    let [encoded, _] = definition.def.as_slice() else { return None };
    let Some(pb::op::Op::Source(source)) = pb::Op::decode(encoded.as_slice()).ok()?.op else { return None };
    let name = source.identifier.strip_prefix("local://")?.to_owned();
    let mut local = Local { name, ..Local::default() };
    for (key, value) in source.attrs {
        match key.as_str() {
            "local.excludepatterns" => local.exclude = serde_json::from_str(&value).ok()?,
            "local.sharedkeyhint" => local.shared_key = value,
            "local.sessionid" => local.session = value,
            _ => return None,
        }
    }
    Some(local)
}

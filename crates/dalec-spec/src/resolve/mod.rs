//! [`RawSpec`](crate::RawSpec) to [`TargetSpec`](crate::target_spec::TargetSpec): arguments expanded, defaults
//! filled, target overrides applied.
//!
//! Every type of the raw form resolves itself; here are the context they share and the rules of how a target
//! overrides the root. Nothing here looks at YAML.

mod args;
#[cfg(test)]
mod order;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

pub use self::args::ArgOrigin;
use self::args::{Args, is_platform};
pub(crate) use self::args::{SOURCE_DATE_EPOCH, is_known};
pub(crate) use self::spec::{merged, resolve, resolve_merged};
use crate::codes;
use crate::decode::{Complaint, Rule, locate, suggest};
use crate::diagnostic::Diagnostic;
use crate::expand::{self, Expansion};
use crate::findings::Findings;
use crate::platform::Platform;
use crate::raw::RawRoot;
use crate::source_text::SourceText;
use crate::span::Span;

/// What resolving may still take, in bytes that are read or put together; what costs time beside that is converted.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: usize,
    /// Texts that were found to follow a costly rule.
    good: BTreeSet<(&'static str, String)>,
}

/// What resolving a spec once may take.
const ONCE: usize = 64 << 20;

impl Default for Budget {
    /// Returns the budget of one call from outside.
    fn default() -> Self {
        Self::of(ONCE)
    }
}

impl Budget {
    /// Returns a budget of `bytes`.
    pub fn of(bytes: usize) -> Self {
        Self { bytes, good: BTreeSet::new() }
    }

    /// Does `work`, which may take as much as resolving once may and as there is.
    pub fn lend<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let kept = self.bytes.saturating_sub(ONCE);
        self.bytes -= kept;
        let done = work(self);
        self.bytes += kept;
        done
    }

    /// Takes `bytes` and returns whether there were so many; otherwise nothing is left.
    pub fn spend(&mut self, bytes: usize) -> bool {
        let rest = self.bytes.checked_sub(bytes);
        self.bytes = rest.unwrap_or_default();
        rest.is_some()
    }
}

/// Note of the errors about what is needed and expands to nothing.
pub(crate) const VANISHED: &str = "expands to nothing";

/// What to do with arguments and references that the spec does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownArgs {
    /// They are errors.
    #[default]
    Reject,
    /// Arguments are ignored and references stay as text: for routing, before the real arguments are known.
    Allow,
}

/// What a spec is resolved for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolveOptions {
    /// Target key such as `bookworm`: the first segment of the route. Empty resolves the root alone.
    pub target: String,
    /// Platform that is built for: `TARGETOS`, `TARGETARCH`, `TARGETVARIANT`, `TARGETPLATFORM`.
    pub platform: Platform,
    /// Platform that builds: `BUILDOS`, `BUILDARCH`, `BUILDVARIANT`, `BUILDPLATFORM`.
    pub build_platform: Platform,
    /// Arguments given by the user.
    pub build_args: BTreeMap<String, String>,
    /// What happens to undeclared ones.
    pub unknown_args: UnknownArgs,
}

/// What resolving needs: the arguments, and where findings go.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    source: &'a SourceText,
    args: Args,
    unknown_args: UnknownArgs,
    budget: &'a mut Budget,
    is_exhausted: bool,
    /// What is wrong.
    pub findings: Findings,
    /// What is legal and doubtful; shown by lint only.
    pub doubts: Findings,
    /// Arguments that were referred to.
    pub used: BTreeSet<String>,
}

impl<'a> Resolver<'a> {
    /// Returns a resolver for `root` with the arguments of `options`; what it does is taken from `budget`.
    pub fn of(
        root: &RawRoot,
        source: &'a SourceText,
        options: &ResolveOptions,
        budget: &'a mut Budget,
    ) -> Self {
        let args = args::collect(&root.args, options);
        let mut findings = Findings::default();
        findings.extend(args.diagnostics.iter().cloned());
        Self {
            source,
            args,
            unknown_args: options.unknown_args,
            budget,
            is_exhausted: false,
            findings,
            doubts: Findings::default(),
            used: BTreeSet::new(),
        }
    }

    /// Returns what `text`, which has been expanded before, expands to.
    ///
    /// None when that used up the budget: it would take as long again.
    fn expand_again(&self, text: &str) -> Option<Expansion> {
        let values = &self.args.values;
        let lookup = |name: &str| values.get(name).map(|(value, _)| value.as_str());
        if self.is_exhausted {
            return None;
        }
        expand::expand(text, &lookup, &mut Budget::default().bytes).ok()
    }

    /// Returns what `text`, a key that has been expanded before, is called in the resolved spec.
    pub fn written_key(&self, text: &str) -> String {
        let expansion = self.expand_again(text);
        expansion.map_or_else(|| text.to_owned(), |expansion| expand::escape(&expansion.text))
    }

    /// Returns the names that `text`, which has been expanded before, refers to, with their values and where those
    /// come from.
    pub fn references(&self, text: &str) -> Vec<(String, String, ArgOrigin)> {
        let values = &self.args.values;
        let used = self.expand_again(text).map(|expansion| expansion.used);
        let mut names = used.unwrap_or_default();
        names.sort();
        names.dedup();
        let reference = |name: String| {
            let (value, origin) = values.get(&name)?.clone();
            Some((name, value, origin))
        };
        names.into_iter().filter_map(reference).collect()
    }

    /// Returns the value of the argument `name`, and where it comes from.
    pub fn argument(&self, name: &str) -> Option<&(String, ArgOrigin)> {
        self.args.values.get(name)
    }

    /// Expands `text`, which is written at `span`, and checks the result against the rule `R`.
    pub fn expand<R: Rule>(&mut self, text: &str, span: Span) -> String {
        let values = &self.args.values;
        let lookup = |name: &str| values.get(name).map(|(value, _)| value.as_str());
        let expansion = match expand::expand(text, &lookup, &mut self.budget.bytes) {
            Ok(expansion) => expansion,
            Err(broken) if broken.too_large && self.is_exhausted => return String::new(),
            Err(broken) => {
                self.is_exhausted |= broken.too_large;
                let code =
                    if broken.too_large { codes::EXPANSION_BUDGET } else { codes::SUBSTITUTION_SYNTAX };
                let place = locate(self.source, span, text, broken.part).unwrap_or(span);
                let mut diagnostic = Diagnostic::error(code, place, broken.message);
                diagnostic.help = broken.help;
                self.findings.push(diagnostic);
                return String::new();
            }
        };
        let is_literal = expansion.used.is_empty() && expansion.unset.is_empty();
        self.used.extend(expansion.used);
        for (name, part) in &expansion.unset {
            if self.findings.is_full(codes::UNDECLARED_ARG) {
                break;
            }
            if self.unknown_args == UnknownArgs::Allow && !is_platform(name) {
                continue;
            }
            // Looking for a place reads the text up to there.
            let is_paid = self.budget.spend(part.end);
            let place =
                is_paid.then(|| locate(self.source, span, text, part.clone())).flatten().unwrap_or(span);
            self.unset(name, place, self.source.slice(span).starts_with('"'));
        }
        // A text with references left in it is only looked at by routing, or was reported. What routing makes of
        // arguments may not be what they are in the end; text without references is what it is.
        let is_complete = match self.unknown_args {
            UnknownArgs::Reject => {
                expansion.unset.iter().all(|(name, _)| is_known(name) && !is_platform(name))
            }
            UnknownArgs::Allow => is_literal,
        };
        if is_complete
            && !expansion.text.is_empty()
            && let Err(complaint) = self.check::<R>(&expansion.text)
        {
            self.findings.push(complain(complaint, self.source, span, text, &expansion.text));
            return String::new();
        }
        R::normalize(expansion.text)
    }

    /// Returns whether this is for routing, which does not know what arguments are in the end.
    pub fn is_routing(&self) -> bool {
        self.unknown_args == UnknownArgs::Allow
    }

    /// Reports that the text at `span` expands to nothing where something is needed, as `message` says.
    ///
    /// Says nothing where another error explains it, nor to routing.
    pub fn report_vanished(&mut self, span: Span, message: String) {
        if !self.is_routing() && !self.is_exhausted && !self.findings.error_within(span) {
            let diagnostic = Diagnostic::error(codes::MISSING_KEY, span, message);
            self.findings
                .push(diagnostic.note(VANISHED).help("give a value to the arguments that it refers to"));
        }
    }

    /// Checks `text` against the rule `R`; where that is costly, what was found to be good is not looked at again.
    fn check<R: Rule>(&mut self, text: &str) -> Result<(), Complaint> {
        let Some(cost) = R::COST else { return R::check(text) };
        let key = (std::any::type_name::<R>(), text.to_owned());
        if self.budget.good.contains(&key) {
            return Ok(());
        }
        if !self.budget.spend(cost(text)) {
            self.is_exhausted = true;
            return Err(Complaint::new("checking this spec takes too long").code(codes::EXPANSION_BUDGET));
        }
        R::check(text)?;
        self.budget.good.insert(key);
        Ok(())
    }

    /// Reports the reference to `name`, which has no value, at `place` inside a plain or double quoted text.
    fn unset(&mut self, name: &str, place: Span, double_quoted: bool) {
        let diagnostic = if is_platform(name) {
            let message = format!("`{name}` must be declared under `args` to be used");
            Diagnostic::error(codes::UNDECLARED_ARG, place, message)
                .help(format!("add `{name}:` under `args`; its value comes from the platform"))
        } else if is_known(name) {
            let message = format!("`{name}` is not declared under `args`, so this reference stays as text");
            Diagnostic::warning(codes::UNRESOLVED_ARG, place, message)
                .help(format!("add `{name}:` under `args`"))
        } else {
            let message = format!("the argument `{name}` is not declared under `args`");
            let diagnostic = Diagnostic::error(codes::UNDECLARED_ARG, place, message);
            let known = suggest(name, self.args.values.keys().map(String::as_str));
            let dollar = if double_quoted { "\\\\$" } else { "\\$" };
            diagnostic.help(match known {
                Some(known) => format!("did you mean `{known}`?"),
                None if name.starts_with(|char: char| char.is_alphabetic() || char == '_') => {
                    format!("add `{name}: <default>` under `args`, or write `{dollar}` for a plain `$`")
                }
                None => format!("write `{dollar}` for a plain `$`"),
            })
        };
        self.findings.push(diagnostic);
    }
}

/// Returns `complaint` about `expanded`, which was written as `text`, as a diagnostic.
fn complain(complaint: Complaint, source: &SourceText, span: Span, text: &str, expanded: &str) -> Diagnostic {
    if text == expanded {
        return complaint.at(source, span, text);
    }
    let mut complaint = complaint;
    complaint.part = None;
    let shown: String = expanded.chars().take(60).collect();
    complaint.at(source, span, text).note(format!("expands to `{shown}`"))
}

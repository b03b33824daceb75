//! What the language looks like, as data.
//!
//! Every type that a key can take describes itself with a [`Shape`]. The JSON schema and the reference manual are
//! made from these descriptions alone, so neither can say something that the loader does not do. Nothing here reads
//! a spec.

/// What a key takes.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Text.
    Text(TextShape),
    /// `true` or `false`.
    Flag,
    /// A whole number from 0 to 2³²-1.
    Number {
        /// What an absent key means.
        default: u32,
    },
    /// Permission bits.
    Mode {
        /// What an absent key means; none leaves the choice to others.
        default: Option<u32>,
    },
    /// A list.
    List(Box<Shape>),
    /// A mapping with keys of the author's choice.
    Map {
        /// What a key may look like.
        key: TextShape,
        /// What it stands for.
        value: Box<Shape>,
    },
    /// An object of the language.
    Object(fn() -> ObjectShape),
    /// Something, or nothing, which is the same as leaving the key out.
    Optional(Box<Shape>),
    /// One of several.
    Either(Vec<Shape>),
    /// Nothing at all: the key alone says it.
    Nothing,
}

/// Text of one kind.
#[derive(Debug, Clone)]
pub(crate) struct TextShape {
    /// What it takes, in words: "a package name".
    pub takes: &'static str,
    /// A regular expression that all allowed texts match; it may let more through than the loader.
    pub pattern: Option<&'static str>,
    /// Code of the finding about text that is not allowed.
    pub code: &'static str,
    /// Whether `${...}` is expanded.
    pub expanded: bool,
    /// The words it is limited to; empty for no limit.
    pub words: Vec<&'static str>,
    /// What an absent key means; empty for nothing.
    pub default: &'static str,
}

/// An object of the language.
#[derive(Debug, Clone)]
pub(crate) struct ObjectShape {
    /// What it is called: "a patch".
    pub name: &'static str,
    /// What it is for, one line each.
    pub docs: &'static [&'static str],
    /// Whether keys beginning with `x-` are left to the author.
    pub extensible: bool,
    /// Its keys in the order of the manual.
    pub keys: &'static [Key],
    /// Keys that must be given.
    pub needs: &'static [&'static str],
    /// Keys of which only some may be given.
    pub choice: Option<Choice>,
}

/// One key of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// The key.
    pub name: &'static str,
    /// What it is for; lines that begin with `Example: ` and `Default: ` say just that.
    pub docs: &'static [&'static str],
    /// What it takes.
    pub shape: fn() -> Shape,
    /// Reads a value of it, so that the examples can be checked.
    #[cfg(test)]
    pub read: fn(&crate::yaml::Node, &mut crate::decode::Decoder<'_>),
}

/// Keys of which only some may be given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    /// The keys.
    pub keys: &'static [&'static str],
    /// Whether one of them must be given.
    pub needed: bool,
    /// Whether only one of them may be.
    pub exclusive: bool,
}

impl Key {
    /// Returns what the key is for, without its example and default.
    pub fn summary(&self) -> String {
        let is_prose =
            |line: &&&str| !line.trim().starts_with("Example: ") && !line.trim().starts_with("Default: ");
        self.docs.iter().filter(is_prose).map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// Returns a value that can be written for the key, as YAML.
    pub fn example(&self) -> Option<&'static str> {
        self.docs.iter().find_map(|line| line.trim().strip_prefix("Example: "))
    }

    /// Returns what an absent key means, in words.
    pub fn default_words(&self) -> Option<&'static str> {
        self.docs.iter().find_map(|line| line.trim().strip_prefix("Default: "))
    }
}

impl Shape {
    /// Returns a list of `item`.
    pub fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }
}

/// Returns all objects of the language, in the order in which they are reached from `root`.
pub(crate) fn objects(root: Shape) -> Vec<ObjectShape> {
    let mut found: Vec<ObjectShape> = Vec::new();
    let mut waiting = vec![root];
    while !waiting.is_empty() {
        for shape in std::mem::take(&mut waiting) {
            match shape {
                Shape::Object(object) => {
                    let object = object();
                    if found.iter().all(|other| other.name != object.name) {
                        waiting.extend(object.keys.iter().map(|key| (key.shape)()));
                        found.push(object);
                    }
                }
                Shape::List(inner) | Shape::Map { value: inner, .. } | Shape::Optional(inner) => {
                    waiting.push(*inner);
                }
                Shape::Either(shapes) => waiting.extend(shapes),
                Shape::Text(_) | Shape::Flag | Shape::Number { .. } | Shape::Mode { .. } | Shape::Nothing => {
                }
            }
        }
    }
    found
}

//! Files written in the spec.

use crate::decode::{Field, Map, ModeOr, Number, Text, object};
use crate::emit::Tree;
use crate::raw::rules::FileName;
use crate::resolve::Resolver;
use crate::target_spec::Inline;

object! {
    /// Files written in the spec: one file, or one flat directory.
    RawInline: "an inline source", closed, one_of ["file", "dir"] {
        /// One file. It gets the source's name.
        /// Example: {contents: "key = value\n"}
        "file" file: Option<RawInlineFile>,
        /// A directory of files, without directories in it.
        /// Example: {files: {a.conf: {contents: "a = 1\n"}}}
        "dir" dir: Option<RawInlineDir>,
    }
}

object! {
    /// One file written in the spec.
    RawInlineFile: "an inline file", closed => InlineFile {
        /// Content. Arguments are not expanded in it.
        /// Example: "key = value\n"
        "contents" contents: Text,
        /// Permission bits.
        /// Example: 0755
        "permissions" permissions: ModeOr<0o644>,
        /// Number of the owner.
        /// Example: 1000
        "uid" uid: Number,
        /// Number of the group.
        /// Example: 1000
        "gid" gid: Number,
    }
}

object! {
    /// A flat directory written in the spec.
    RawInlineDir: "an inline directory", closed => InlineDir {
        /// Files by name.
        /// Example: {a.conf: {contents: "a = 1\n"}}
        "files" files: Map<RawInlineFile, FileName>,
        /// Permission bits of the directory.
        /// Example: 0700
        "permissions" permissions: ModeOr<0o755>,
        /// Number of the owner of the directory.
        /// Example: 1000
        "uid" uid: Number,
        /// Number of the group of the directory.
        /// Example: 1000
        "gid" gid: Number,
    }
}

impl Field for RawInline {
    type Output = Inline;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Inline {
        match &self.dir {
            Some(dir) => Inline::Dir(dir.resolve(resolver)),
            None => Inline::File(self.file.clone().unwrap_or_default().resolve(resolver)),
        }
    }

    fn emit(output: &Inline) -> Tree {
        let (key, value) = match output {
            Inline::File(file) => ("file", RawInlineFile::emit(file)),
            Inline::Dir(dir) => ("dir", RawInlineDir::emit(dir)),
        };
        Tree::Map(vec![(key.to_owned(), value)])
    }
}

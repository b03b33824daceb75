//! Results that a `buildkitd` hands out: its exporters, and where each writes to on this host.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dalec_buildkit::{Entry, Target};
use dalec_engine::ExportSummary;
use serde_json::Value;

use super::{Output, SharedArchive, describe};
use crate::errors::CommandError;
use crate::new_file::NewFile;
use crate::options::outputs::{Destination, ImageOutput};
use crate::signals::Watch;

/// Keys of what an exporter says about an image.
const DIGEST: &str = "containerimage.digest";
const NAME: &str = "image.name";

/// The destinations of one target.
pub struct Exports {
    exports: Vec<Export>,
    digests: bool,
}

/// One destination.
struct Export {
    destination: Destination,
    /// Where the exporter writes to; none when nothing comes here.
    target: Option<Arc<Target>>,
    archive: Option<SharedArchive>,
    /// The file of the archive.
    file: Option<NewFile>,
}

impl Exports {
    /// Opens the destinations of one target; with `folder`, directories get one of that name.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn open(
        destinations: &[Destination],
        target: Option<&str>,
        watch: &Watch,
        digests: bool,
    ) -> Result<Self, CommandError> {
        let open = |destination: &Destination| {
            let destination = match target {
                Some(target) => destination.for_one_of_several(target)?,
                None => destination.clone(),
            };
            Export::open(destination, watch, digests)
        };
        Ok(Self { exports: destinations.iter().map(open).collect::<Result<_, _>>()?, digests })
    }

    /// Returns where exporters write to, by their number.
    pub fn targets(&self) -> BTreeMap<usize, Arc<Target>> {
        let targets = self.exports.iter().enumerate();
        targets.filter_map(|(number, export)| Some((number, export.target.clone()?))).collect()
    }

    /// Returns the exporters in the daemon's words; one inside a docker daemon puts images into that.
    pub fn entries(&self, in_docker: bool) -> Vec<Entry> {
        let entry = |export: &Export| match &export.destination {
            Destination::Directory(_) => Entry { kind: "local".into(), attrs: BTreeMap::new() },
            Destination::TarFile(_) | Destination::TarStdout => {
                Entry { kind: "tar".into(), attrs: BTreeMap::new() }
            }
            Destination::Image(ImageOutput { kind, dest, attrs, .. }) => {
                let moby = in_docker && dest.is_none();
                let kind = if moby { "moby" } else { kind.name() };
                Entry { kind: kind.to_owned(), attrs: attrs.clone() }
            }
        };
        self.exports.iter().map(entry).collect()
    }

    /// Passes the outcome of the build on, unless a destination failed: that is why, then.
    ///
    /// # Errors
    /// See there.
    pub fn checked<T>(&self, built: Result<T, CommandError>) -> Result<T, CommandError> {
        for export in &self.exports {
            let Some(failure) = export.target.as_ref().and_then(|target| target.take_failure()) else {
                continue;
            };
            if failure.source.kind() == std::io::ErrorKind::BrokenPipe && export.destination.is_stdout() {
                return Err(CommandError::StdoutClosed);
            }
            let path = failure.path.unwrap_or_else(|| PathBuf::from(export.shown()));
            return Err(CommandError::unwritable(path, failure.source));
        }
        built
    }

    /// Puts archives in their place and says what was written; `response` is what exporters say.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn finish(self, response: &BTreeMap<String, String>) -> Result<Vec<Output>, CommandError> {
        let digests = self.digests;
        self.exports.into_iter().map(|export| export.finish(response, digests)).collect()
    }
}

impl Export {
    fn open(destination: Destination, watch: &Watch, digests: bool) -> Result<Self, CommandError> {
        let mut export = Self { target: None, archive: None, file: None, destination };
        let path = match &export.destination {
            Destination::Directory(dest) => {
                export.target = Some(Arc::new(Target::directory(dest)));
                return Ok(export);
            }
            Destination::TarFile(dest) => Some(dest.as_path()),
            Destination::TarStdout => Some(Path::new("-")),
            Destination::Image(image) => image.dest.as_deref(),
        };
        let Some(path) = path else { return Ok(export) };
        let writer: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(std::io::stdout())
        } else {
            let unwritable = |source| CommandError::unwritable(path, source);
            let file = NewFile::create(path, watch).map_err(unwritable)?;
            let writer = file.writer().map_err(unwritable)?;
            export.file = Some(file);
            Box::new(writer)
        };
        let archive = SharedArchive::new(writer, digests);
        export.target = Some(Arc::new(Target::stream(Box::new(archive.clone()))));
        export.archive = Some(archive);
        Ok(export)
    }

    fn kind(&self) -> &'static str {
        match &self.destination {
            Destination::Directory(_) => "local",
            Destination::TarFile(_) | Destination::TarStdout => "tar",
            Destination::Image(image) => image.kind.name(),
        }
    }

    fn shown(&self) -> String {
        match &self.destination {
            Destination::Directory(dest) | Destination::TarFile(dest) => dest.display().to_string(),
            Destination::TarStdout => "-".to_owned(),
            Destination::Image(image) => image.shown(),
        }
    }

    fn finish(self, response: &BTreeMap<String, String>, digests: bool) -> Result<Output, CommandError> {
        let (kind, shown) = (self.kind(), self.shown());
        if let (Destination::Directory(dest), Some(target)) = (&self.destination, &self.target) {
            let received = target.received();
            let summary =
                ExportSummary { files: received.files, written: received.written, bytes: received.bytes };
            return describe(dest, &summary, digests);
        }
        if let Some(archive) = self.archive {
            let output = archive.finish(kind, Ok(()))?;
            if let Some(file) = self.file {
                file.finish().map_err(|source| CommandError::unwritable(&shown, source))?;
            }
            return Ok(Output { dest: shown, ..output });
        }
        let name = response.get(NAME).cloned().unwrap_or(shown);
        Ok(Output {
            kind,
            dest: name,
            size: 0,
            written: 1,
            files: Vec::new(),
            digest: response.get(DIGEST).cloned(),
        })
    }
}

/// Returns what exporters say as a record: descriptors come encoded.
pub fn record(response: &BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let value = |text: &String| {
        let decoded =
            STANDARD.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        decoded.filter(Value::is_object).unwrap_or_else(|| Value::from(text.as_str()))
    };
    response.iter().map(|(key, text)| (key.clone(), value(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(texts: &[&str]) -> Exports {
        let destinations: Vec<_> = texts.iter().map(|text| Destination::parse(text).unwrap()).collect();
        Exports::open(&destinations, None, &Watch::default(), true).unwrap()
    }

    #[test]
    fn every_destination_has_its_exporter() {
        let folder = tempfile::tempdir().unwrap();
        let oci = format!("type=oci,dest={}", folder.path().join("image.tar").display());
        let exports = opened(&["no/such/out", &oci, "type=registry,name=example.org/a"]);
        let kinds = |docker| exports.entries(docker).into_iter().map(|entry| entry.kind).collect::<Vec<_>>();
        assert_eq!(kinds(false), ["local", "oci", "image"]);
        assert_eq!(kinds(true), ["local", "oci", "moby"]);
        assert_eq!(exports.entries(false)[2].attrs["push"], "true");
        assert_eq!(exports.targets().into_keys().collect::<Vec<_>>(), [0, 1]);
        drop(exports);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_image_is_named_by_its_digest() {
        let response = [(DIGEST, "sha256:12"), (NAME, "example.org/a:1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let outputs = opened(&["type=registry,name=example.org/a"]).finish(&response).unwrap();
        assert_eq!((outputs[0].kind, outputs[0].dest.as_str()), ("image", "example.org/a:1"));
        assert_eq!(outputs[0].digest.as_deref(), Some("sha256:12"));
    }

    #[test]
    fn descriptors_are_decoded() {
        let response = [
            ("containerimage.descriptor".to_owned(), STANDARD.encode(r#"{"size":5}"#)),
            (DIGEST.to_owned(), "sha256:12".to_owned()),
        ]
        .into();
        let record = record(&response);
        assert_eq!(record["containerimage.descriptor"]["size"], 5);
        assert_eq!(record[DIGEST], "sha256:12");
    }
}

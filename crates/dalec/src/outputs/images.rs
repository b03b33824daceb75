//! Images that the embedded engine writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use dalec_engine::BuiltImage;
use dalec_gateway::{Event, FrontendResult, GatewayError, VertexEvent};
use serde_json::Value;

use super::{Exporter, Output, SharedArchive};
use crate::errors::CommandError;
use crate::new_file::NewFile;
use crate::options::outputs::{EmbeddedImage, ImageOutput, Place};

impl Exporter<'_> {
    /// Makes an image of `result` and brings it where it goes; returns that and what is to be said about the image, under
    /// the names that BuildKit's exporters use.
    ///
    /// # Errors
    /// When it cannot be made, written or pushed.
    pub(super) fn image(
        &self,
        result: &FrontendResult,
        output: &ImageOutput,
    ) -> Result<(Output, BTreeMap<String, Value>), CommandError> {
        let wanted = EmbeddedImage::read(output, self.epoch)?;
        let name = format!("[export] {} {}", output.kind.name(), output.shown());
        let image = self.step(&format!("{name}: make the layers"), || {
            self.engine.image(result, &wanted.options).map_err(|error| self.engine_error(error))
        })?;
        let kind = output.kind.name();
        let written = self.step(&name, || match &wanted.place {
            Place::Archive(dest) if dest == Path::new("-") => {
                let archive = SharedArchive::new(Box::new(std::io::stdout()), self.digests);
                self.archive(kind, &image, &archive)
            }
            Place::Archive(dest) => {
                let unwritable = |source| CommandError::unwritable(dest, source);
                let file = NewFile::create(dest, self.watch).map_err(unwritable)?;
                let writer = file.writer().map_err(unwritable)?;
                let archive = SharedArchive::new(Box::new(writer), self.digests);
                let output = self.archive(kind, &image, &archive)?;
                file.finish().map_err(unwritable)?;
                Ok(output)
            }
            Place::Layout(dest) => {
                image.write_layout(dest).map_err(|error| self.engine_error(error))?;
                Ok(named(kind, &image))
            }
            Place::Registry(naming) => {
                image.push(*naming).map_err(|error| self.engine_error(error))?;
                Ok(named(kind, &image))
            }
        })?;
        Ok((Output { dest: output.shown(), ..written }, image.facts()))
    }

    fn archive(
        &self,
        kind: &'static str,
        image: &BuiltImage,
        archive: &SharedArchive,
    ) -> Result<Output, CommandError> {
        let written = image.write_archive(Box::new(archive.clone()));
        archive.finish(kind, written.map_err(|error| self.engine_error(error)))
    }

    /// Shows what `act` does as a step called `name`.
    fn step<T>(&self, name: &str, act: impl FnOnce() -> Result<T, CommandError>) -> Result<T, CommandError> {
        let mut step = VertexEvent {
            digest: name.to_owned(),
            name: name.to_owned(),
            group: String::new(),
            inputs: Vec::new(),
            started: Some(SystemTime::now()),
            completed: None,
            cached: false,
            error: None,
        };
        self.progress.event(Event::Vertex(step.clone()));
        let done = act();
        step.completed = Some(SystemTime::now());
        step.error = done.as_ref().err().map(CommandError::headline);
        self.progress.event(Event::Vertex(step));
        done
    }

    pub(super) fn engine_error(&self, error: GatewayError) -> CommandError {
        CommandError::Engine { error: Box::new(error), spec: self.spec.clone() }
    }
}

/// Returns the record of an image that a digest names, wherever it is.
fn named(kind: &'static str, image: &BuiltImage) -> Output {
    Output {
        kind,
        dest: String::new(),
        size: image.size(),
        written: 1,
        files: Vec::new(),
        digest: Some(image.digest().to_string()),
    }
}

//! The configuration of a process: a file, if there is one, and its environment.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tta_telemetry::config::{Config, ConfigError, ConfigLayers, Preset};

/// The variable that names the file when nobody else does.
const FILE_VARIABLE: &str = "TTA_CONFIG";
/// A configuration is text that somebody writes; a larger file is something else.
const MOST_BYTES: u64 = 1024 * 1024;

/// Where a process's configuration comes from. Loading it again reads everything afresh.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("tta.toml");
/// # std::fs::write(&path, "[tracing.sampling]\ndefault_rate = 0.25\n")?;
/// use tta_host::ConfigSource;
/// let config = ConfigSource::new().file(&path).load()?;
/// assert_eq!(config.tracing.sampling.default_rate, 0.25);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ConfigSource {
    file: Option<PathBuf>,
    preset: Option<Preset>,
    reads_environment: bool,
    /// Argument, path and text.
    arguments: Vec<(String, String, String)>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigLoadError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no text that could be a configuration.
    #[error("the configuration `{}` is {given}, accepted is {accepted}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        given: String,
        /// What it may be.
        accepted: &'static str,
    },
    /// The file was written or replaced every time it was read.
    #[error("the configuration `{}` changes while it is read, accepted is a file that stays as it is for a moment", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// What it says is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ConfigSource {
    /// Nothing but the preset of development.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a program usually wants: the file that `TTA_CONFIG` names, if it is set, and the
    /// environment.
    pub fn of_process() -> Self {
        let file = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self { file, reads_environment: true, ..Self::default() }
    }

    /// Reads this file, which must exist.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Starts from this preset, whatever file and environment say.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// Whether the process's environment is read. Default: not, except with
    /// [`ConfigSource::of_process`].
    pub fn environment(mut self, reads: bool) -> Self {
        self.reads_environment = reads;
        self
    }

    /// Sets a field to what an argument of the command line says, whatever the environment says. `argument` is what
    /// problems call it, as `--address`.
    pub fn argument(mut self, argument: impl Into<String>, path: impl Into<String>, text: impl Into<String>) -> Self {
        self.arguments.push((argument.into(), path.into(), text.into()));
        self
    }

    /// The file that is read, if any.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Reads everything and checks it.
    ///
    /// # Errors
    /// The file cannot be read, or everything that is wrong in what was said.
    pub fn load(&self) -> Result<Config, ConfigLoadError> {
        self.load_unless(|_| None)
    }

    /// The same while a configuration is in effect. A file with nothing in it is refused: it is one
    /// that somebody is about to write, or that a full disk has left.
    pub(crate) fn load_again(&self) -> Result<Config, ConfigLoadError> {
        self.load_unless(|text| text.trim().is_empty().then_some("empty"))
    }

    /// `refused` says what is wrong with a text, if something is.
    fn load_unless(&self, refused: impl Fn(&str) -> Option<&'static str>) -> Result<Config, ConfigLoadError> {
        let mut layers = ConfigLayers::new();
        if let Some(preset) = self.preset {
            layers = layers.preset(preset);
        }
        if let Some(path) = &self.file {
            let text = read(path)?;
            if let Some(given) = refused(&text) {
                let (path, given) = (path.clone(), given.to_owned());
                return Err(ConfigLoadError::NotText { path, given, accepted: "TOML, if only a comment" });
            }
            layers = layers.toml(path.display().to_string(), &text);
        }
        if self.reads_environment {
            // What is no Unicode cannot be a value of ours: it is refused as such where it has one
            // of our names, and nobody's business elsewhere.
            let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
            layers = layers.environment(std::env::vars_os().map(|(name, value)| (text(name), text(value))));
        }
        for (argument, path, text) in &self.arguments {
            layers = layers.argument(argument, path, text);
        }
        Ok(layers.build()?)
    }
}

fn read(path: &Path) -> Result<String, ConfigLoadError> {
    let failed = |source| ConfigLoadError::Read { path: path.to_owned(), source };
    let refused = |given, accepted| ConfigLoadError::NotText { path: path.to_owned(), given, accepted };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // A device or a pipe may have no end.
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if read as u64 > MOST_BYTES {
        return Err(refused("larger than 1 MiB".to_owned(), "TOML of at most 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(format!("not UTF-8 at byte {at}"), "TOML in UTF-8")
    })
}

//! A program's own samplers and processors, given to an engine that is being built.

use super::{BuildError, TelemetryBuilder};
use crate::model::{Name, Sampling};
use crate::sampling::{HookList, IsolatedProcessor, IsolatedSampler, Rate, SamplingPolicy, TailPolicy};

impl TelemetryBuilder {
    /// Adds a sampler of the program's own, for all workflows. Of several the first that says something
    /// decides: those of [the workflow](Self::workflow_sampler) are asked before those for all, each in
    /// the order in which they were added. Default: none; at most 64 samplers and processors together.
    ///
    /// Where a sampling policy is not set, [`Sampling::KeepAll`] becomes one with the rate 1, and
    /// [`Sampling::KeepFailed`] one with the rate 0 that keeps what failed or was cancelled; as every
    /// policy they follow what callers in other processes decided. With [`Sampling::KeepNone`], and
    /// while tracing is switched off, nobody is asked.
    ///
    /// ```
    /// use tta_telemetry::sampling::{IsolatedSampler, Rate, RunStart, Sampler};
    /// use tta_telemetry::{Name, RuleName, RuleNameError, Telemetry};
    ///
    /// struct Imports(RuleName);
    ///
    /// impl Sampler for Imports {
    ///     fn name(&self) -> RuleName {
    ///         self.0
    ///     }
    ///     fn head(&self, workflow: &Name, _: &RunStart<'_>) -> Option<Rate> {
    ///         (*workflow == "import").then_some(Rate::ZERO)
    ///     }
    /// }
    ///
    /// // Kept for what it can tell; the sampler alone would do.
    /// let imports = IsolatedSampler::new(Imports("imports".parse::<RuleName>()?));
    /// let telemetry = Telemetry::builder().sampler(imports.clone()).build()?;
    /// # #[cfg(feature = "record")]
    /// assert!(!telemetry.start_trace("import").end_decided().is_some_and(|decision| decision.keep));
    /// assert_eq!(imports.panics(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sampler(mut self, sampler: impl Into<IsolatedSampler>) -> Self {
        self.hooks.add_sampler(None, sampler.into());
        self
    }

    /// Adds a sampler for the runs of one workflow: those whose root was started by this name. See
    /// [`sampler`](Self::sampler).
    pub fn workflow_sampler(mut self, workflow: impl Into<Name>, sampler: impl Into<IsolatedSampler>) -> Self {
        self.hooks.add_sampler(Some(workflow.into()), sampler.into());
        self
    }

    /// Adds someone who looks at the kept traces of all workflows, or edits their attributes, before
    /// secrets are taken out and any sink has them. Several are called one after the other: those of
    /// [the workflow](Self::workflow_processor) before those for all, each in the order in which they
    /// were added. Default: none; at most 64 samplers and processors together.
    ///
    /// ```
    /// use tta_telemetry::sampling::{TraceEdit, TraceProcessor};
    /// use tta_telemetry::{MemorySink, Telemetry};
    ///
    /// struct Region(&'static str);
    ///
    /// impl TraceProcessor for Region {
    ///     fn name(&self) -> &str {
    ///         "region"
    ///     }
    ///     fn process(&self, trace: &mut TraceEdit<'_>) {
    ///         trace.set(0, "cloud.region", self.0);
    ///     }
    /// }
    ///
    /// let memory = MemorySink::new();
    /// let telemetry = Telemetry::builder().processor(Region("eu-west-1")).sink(memory.clone()).build()?;
    /// telemetry.start_trace("import").end();
    /// assert!(telemetry.shutdown_blocking(std::time::Duration::from_secs(5)).complete);
    /// # #[cfg(feature = "record")]
    /// assert_eq!(memory.traces()[0].spans[0].attributes[0].key, "cloud.region");
    /// # Ok::<(), tta_telemetry::BuildError>(())
    /// ```
    pub fn processor(mut self, processor: impl Into<IsolatedProcessor>) -> Self {
        self.hooks.add_processor(None, processor.into());
        self
    }

    /// Adds a processor for the traces of one workflow: those whose root was started by this name. See
    /// [`processor`](Self::processor).
    pub fn workflow_processor(mut self, workflow: impl Into<Name>, processor: impl Into<IsolatedProcessor>) -> Self {
        self.hooks.add_processor(Some(workflow.into()), processor.into());
        self
    }

    pub(super) fn check_hooks(&self) -> Result<(), BuildError> {
        let given = self.hooks.len();
        if given > HookList::MOST { Err(BuildError::TooManyHooks { given }) } else { Ok(()) }
    }

    /// The policy; where only a simple choice was made and samplers have to be asked, one that does the
    /// same.
    pub(super) fn take_policy(&mut self) -> Option<SamplingPolicy> {
        let of_choice = || match self.sampling {
            Sampling::KeepNone => None,
            Sampling::KeepAll => Some(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }),
            Sampling::KeepFailed => {
                let tail = TailPolicy { always_sample_slow: false, ..TailPolicy::default() };
                Some(SamplingPolicy { rate: Rate::ZERO, tail, ..SamplingPolicy::default() })
            }
        };
        let has_samplers = self.hooks.has_samplers();
        self.policy.take().or_else(|| if has_samplers { of_choice() } else { None })
    }
}

//! Where a program can put text.

use super::secrets::Secret;

macro_rules! places {
    ($($place:ident),+ $(,)?) => {
        /// A place for text of the program's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Place {
            $($place),+
        }

        impl Place {
            pub(crate) const ALL: &[Place] = &[$(Place::$place),+];
        }
    };
}

places![
    WorkflowName,
    StepName,
    ErrorMessage,
    ErrorCause,
    PanicMessage,
    SpanName,
    Attribute,
    SecretKey,
    ListItem,
    EventName,
    EventAttribute,
    LinkAttribute,
    Annotation,
    Tag,
    Metadata,
    Baggage,
    UserId,
    CorrelationId,
    CounterLabel,
    GaugeLabel,
    HistogramLabel,
    SecretLabel,
    ServiceVersion,
    HealthName,
    HealthReason,
    HealthPanic,
    SinkError,
    DecisionSubject,
    DecisionAttribute,
    BreakerName,
    CostUser,
    CostModel,
    CostWorkflow,
    PendingWork,
    SloSubject,
    ErrorKind,
    TracingMessage,
    TracingField,
    TracingDebug,
    TracingError,
    TracingSpanField,
    LogMessage,
    LogTarget,
    OutsideMessage,
];

impl Place {
    /// What an engine without redaction does not show either: that of a context which goes to callees
    /// only, and lines outside a run, which follow the settings of the process.
    pub(crate) fn is_shown_nowhere(self) -> bool {
        matches!(self, Place::Tag | Place::Metadata | Place::Baggage | Place::OutsideMessage)
    }
}

/// The texts, by place.
#[derive(Clone, Debug)]
pub(crate) struct Texts(Vec<String>);

impl Texts {
    pub(crate) fn of(secrets: &[Secret]) -> Self {
        let text = |(place, secret): (&Place, &Secret)| match place {
            // Under a key that says so, whatever it is.
            Place::SecretKey | Place::SecretLabel => secret.secret.clone(),
            // Kinds of more than 128 bytes are counted as `other`.
            Place::ErrorKind => format!("password={}", secret.secret),
            _ => secret.text.clone(),
        };
        Self(Place::ALL.iter().zip(secrets).map(text).collect())
    }

    pub(crate) fn at(&self, place: Place) -> String {
        self.0[Place::ALL.iter().position(|known| *known == place).unwrap()].clone()
    }
}

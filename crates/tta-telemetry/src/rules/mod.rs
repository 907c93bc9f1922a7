//! Sampling rules: which traces are kept, dropped or thinned out because of what is in them.
//!
//! Owns the language, its errors, and the first match in a set. Does not own what follows from a
//! match, or where the texts come from.
//!
//! ```text
//! rule        = name ":" action [ "when" condition ] ;            without one it matches all
//! name        = 1 to 32 of "a" to "z", digits, "_", "-", "." ;
//! action      = "keep" | "drop" | "rate" number ;                 of 0 to 1
//! condition   = conjunction { "or" conjunction } ;
//! conjunction = negation { "and" negation } ;
//! negation    = "not" negation | "(" condition ")" | test ;
//! test        = "handled"
//!             | "duration" ( order time | unequal quantile )
//!             | "span_count" order whole
//!             | "tokens" order whole
//!             | "cost" order money
//!             | "class" ( same class | "in" "[" class { "," class } "]" )
//!             | ( "workflow" | "error.type" ) ( same text | about )
//!             | [ "root." ] "attr(" text ")" ( order number | same ( text | truth ) | about ) ;
//! about       = "exists" | "contains" text | "starts_with" text | "ends_with" text
//!             | "matches" regex | "in" "[" literal { "," literal } "]" ;
//! same        = "==" | "!=" ;
//! unequal     = "<" | "<=" | ">" | ">=" ;
//! order       = same | unequal ;
//! class       = "failed" | "slow" | "cancelled" | "normal" ;
//! literal     = text | number | truth ;                           text only, for workflow and error.type
//! truth       = "true" | "false" ;
//! number      = [ "-" ] digits [ "." digits ] ;
//! whole       = digits ;
//! time        = digits [ "." digits ] ( "ns" | "us" | "ms" | "s" | "m" ) ;
//! quantile    = "p" digits [ "." digits ] ;                       above p0, below p100, 4 decimals
//! money       = "$" digits [ "." digits ] ;
//! text        = '"' { character | "\" ( '"' | "\" | "n" | "r" | "t" | "u{" hex "}" ) } '"' ;
//! regex       = "/" { character | "\/" } "/" ;
//! ```
//! Blanks and line ends separate words and mean nothing else. A rule has at most 4096 bytes and 32
//! levels of `not` and parentheses, a list at most 100 literals.
//!
//! What a test is about:
//! - `attr` and `error.type` hold when they hold for any span; `root.attr` looks at the root only.
//!   That is so for `!=` too: some span has the attribute with another value. An attribute that no
//!   span has makes each test of it false. Numbers in texts (`"503"`) are compared as numbers, and
//!   lists hold when one of their texts does.
//! - `workflow` is the root's name, `duration` its duration; without a root, from the first start
//!   to the last end. `span_count` counts spans.
//! - A quantile (`duration >= p99`) is that of the runs of the root's workflow over the last 5 to 6
//!   minutes, exact metrics of all runs and within 1 %, as it was about a second ago: the decision
//!   depends on what runs did, never on which were kept. Of fewer than 100 runs, or so few that none
//!   lies beyond it (1,000 for `p99.9`), there is none, and the test is false. So it is without a root.
//! - `cost` sums `cost.usd`, `tokens` sums `gen_ai.usage.input_tokens` and `.output_tokens`, over
//!   all spans; where no span has any, the test is false.
//! - `handled` holds when a span failed and its error was stopped.
//! - `class` is `failed` or `cancelled` by how the run ended, else `slow` by the threshold of the
//!   workflow, else `normal`.

mod ast;
mod checks;
mod context;
mod error;
mod eval;
mod lexer;
mod names;
mod numbers;
mod parser;
mod quantile;
mod set;
mod show;

pub use ast::RuleAction;
pub use context::RuleContext;
pub use error::{RuleError, RuleSetError};
pub(crate) use eval::duration_ns;
pub(crate) use names::nearest;
pub use quantile::Quantile;
pub use set::{RuleCount, RuleSet};

use std::fmt;
use std::str::FromStr;

use crate::model::Trace;
use ast::Condition;

/// One rule: a name, an action, and the condition under which it acts.
///
/// ```
/// use tta_telemetry::{RuleAction, SamplingRule};
///
/// let rule: SamplingRule = r#"dear: keep when cost > $0.05 or root.attr("tenant") == "acme""#.parse()?;
/// assert_eq!((rule.name(), rule.action()), ("dear", RuleAction::Keep));
/// assert_eq!(rule.attributes(), ["tenant"]);
///
/// let refused = "slow: keep when duratoin > 2s".parse::<SamplingRule>().unwrap_err();
/// assert_eq!(refused.to_string(), "\
/// line 1, column 17: found `duratoin`, expected a test (did you mean `duration`?)
///   slow: keep when duratoin > 2s
///                   ^");
/// # Ok::<(), tta_telemetry::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingRule {
    name: String,
    action: RuleAction,
    condition: Option<Condition>,
}

impl SamplingRule {
    /// A rule from its parts, as configuration files have them. Without a condition it matches all.
    ///
    /// # Errors
    /// A name, rate or condition that the language does not accept.
    pub fn new(name: &str, action: RuleAction, condition: Option<&str>) -> Result<Self, RuleError> {
        parser::check_name(name, name)?;
        if let RuleAction::Rate(rate) = action
            && !(0.0..=1.0).contains(&rate)
        {
            return Err(RuleError::at(&rate.to_string(), 0, rate.to_string(), "a rate of 0 to 1"));
        }
        let parsed = condition.map(parser::condition).transpose()?;
        Self { name: name.to_owned(), action: action.normal(), condition: parsed }.checked(condition.unwrap_or(""))
    }

    /// Written out, blanks and units can take more room than they had in the text.
    fn checked(self, text: &str) -> Result<Self, RuleError> {
        let written = self.to_string().len();
        if written > lexer::RULE_BYTES {
            let accepted = format!("at most {}", lexer::RULE_BYTES);
            return Err(RuleError::at(text, 0, format!("{written} bytes when written out"), accepted));
        }
        Ok(self)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub fn action(&self) -> RuleAction {
        self.action
    }

    /// Its condition, as text in the language.
    #[must_use]
    pub fn condition(&self) -> Option<String> {
        self.condition.as_ref().map(ToString::to_string)
    }

    /// The attributes that it names, each once, in order of the alphabet.
    #[must_use]
    pub fn attributes(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        if let Some(condition) = &self.condition {
            condition.keys(&mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The quantiles of latency that it names, each once, the smallest first.
    #[must_use]
    pub fn quantiles(&self) -> Vec<Quantile> {
        let mut quantiles = Vec::new();
        if let Some(condition) = &self.condition {
            condition.quantiles(&mut quantiles);
        }
        quantiles.sort_unstable();
        quantiles.dedup();
        quantiles
    }

    /// Whether it matches a finished trace.
    #[must_use]
    pub fn matches(&self, trace: &Trace, context: &RuleContext<'_>) -> bool {
        self.condition.as_ref().is_none_or(|condition| eval::holds(condition, trace, context))
    }
}

impl FromStr for SamplingRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (name, action, condition) = parser::rule(text)?;
        Self { name, action, condition }.checked(text)
    }
}

/// Text that reads back as the same rule.
impl fmt::Display for SamplingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.action)?;
        match &self.condition {
            Some(condition) => write!(f, " when {condition}"),
            None => Ok(()),
        }
    }
}

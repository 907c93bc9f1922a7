//! One of several ways, by a key that is computed from the input.
//!
//! Owns the choice and what is recorded of it. Two ways by a predicate are `conditional`.

mod error;

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use tta_telemetry::{Name, ValueRef};

use crate::clip::clip;
use crate::context::Context;
use crate::error::Result;
use crate::graph::Graph;
use crate::node::Node;
use crate::parallel::one_node;
use crate::primitive::Primitive;
use crate::workflow::single;

/// Bytes of a key that are recorded, drawn and put into messages.
const KEY_BYTES: usize = 128;

/// Starts a choice among several ways: `selector` computes a key from the input, and the case of
/// that key runs.
///
/// What happens to other keys must be said to make it a step: [`otherwise`] runs another step,
/// [`or_pass_through`] returns the input unchanged, [`or_fail`] fails. The key can be any type that
/// compares, hashes and displays: text, a number, an enum of your own.
///
/// The key is recorded as `switch.case`, at most 128 bytes of it, and `switch.default` is set when
/// no case fits; neither is ever a part of a name. The way taken is a span below the switch's.
///
/// ```
/// # async fn read_text(body: Vec<u8>) -> Result<String, std::string::FromUtf8Error> { String::from_utf8(body) }
/// # async fn describe(body: Vec<u8>) -> Result<String, String> { Ok(format!("{} bytes", body.len())) }
/// use tta_primitives::{step, switch};
///
/// let kind_of = |body: &Vec<u8>| if body.first() == Some(&0x89) { "image" } else { "text" };
/// let summary = step(switch(kind_of).case("text", read_text).otherwise(describe));
/// assert_eq!(summary.graph().to_text(), "\
/// sequential
/// ╰─ switch
///    ├─ text: read_text
///    ╰─ otherwise: describe
/// ");
/// ```
///
/// [`otherwise`]: SwitchWithoutDefault::otherwise
/// [`or_pass_through`]: SwitchWithoutDefault::or_pass_through
/// [`or_fail`]: SwitchWithoutDefault::or_fail
pub fn switch<In, Out, K, F>(selector: F) -> SwitchWithoutDefault<In, Out, K, F>
where
    In: Send + 'static,
    F: Fn(&In) -> K + Send + Sync + 'static,
    K: Eq + Hash + Display + Send + Sync + 'static,
{
    SwitchWithoutDefault { selector, cases: Cases { keys: HashMap::new(), ways: Vec::new() }, types: PhantomData }
}

/// A switch that does not know yet what to do with other keys: not a step before
/// [`otherwise`](Self::otherwise), [`or_pass_through`](Self::or_pass_through) or
/// [`or_fail`](Self::or_fail) says it. Made by [`switch`].
#[must_use = "a switch is a step once `.otherwise(step)`, `.or_pass_through()` or `.or_fail()` says what becomes of other keys"]
pub struct SwitchWithoutDefault<In, Out, K, F> {
    selector: F,
    cases: Cases<K>,
    types: PhantomData<fn(In) -> Out>,
}

/// See [`switch`].
pub struct Switch<In, Out, K, F> {
    name: Name,
    selector: F,
    cases: Cases<K>,
    default: Otherwise<In, Out>,
}

struct Cases<K> {
    keys: HashMap<K, usize>,
    ways: Vec<Case>,
}

struct Case {
    /// What the key displays, clipped.
    label: Name,
    node: Arc<dyn Node>,
}

/// What becomes of a key that no case has.
enum Otherwise<In, Out> {
    Step(Arc<dyn Node>),
    /// Returns what it is given; only made where both types are the same.
    PassThrough(fn(In) -> Out),
    Fail,
}

impl<In, Out, K, F> SwitchWithoutDefault<In, Out, K, F>
where
    In: Send + 'static,
    Out: Send + 'static,
    K: Eq + Hash + Display,
{
    /// Runs `step` for inputs of this key. All cases return the same type.
    ///
    /// As in a `match`, the first case of a key wins: a later one is never reached, nor drawn. Whole
    /// numbers need their type here, as in `case(404_u16, ..)`.
    #[track_caller]
    pub fn case<P: Primitive<In, Out = Out>>(mut self, key: impl Into<K>, step: P) -> Self {
        let (key, node) = (key.into(), one_node(step, Location::caller()));
        let label = Name::from(clip(&key, KEY_BYTES));
        if let Entry::Vacant(place) = self.cases.keys.entry(key) {
            place.insert(self.cases.ways.len());
            self.cases.ways.push(Case { label, node });
        }
        self
    }

    /// Runs `step` for inputs of every other key.
    #[track_caller]
    pub fn otherwise<P: Primitive<In, Out = Out>>(self, step: P) -> Switch<In, Out, K, F> {
        let default = Otherwise::Step(one_node(step, Location::caller()));
        self.with_default(default)
    }

    /// Fails for inputs of every other key, with an error of kind
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) that names the key and those accepted.
    pub fn or_fail(self) -> Switch<In, Out, K, F> {
        self.with_default(Otherwise::Fail)
    }

    fn with_default(self, default: Otherwise<In, Out>) -> Switch<In, Out, K, F> {
        Switch { name: Name::from_static("switch"), selector: self.selector, cases: self.cases, default }
    }
}

impl<In, K, F> SwitchWithoutDefault<In, In, K, F>
where
    In: Send + 'static,
    K: Eq + Hash + Display,
{
    /// Returns inputs of every other key unchanged. Needs cases that return what they are given.
    pub fn or_pass_through(self) -> Switch<In, In, K, F> {
        self.with_default(Otherwise::PassThrough(std::convert::identity))
    }
}

impl<In, Out, K, F> Switch<In, Out, K, F> {
    /// The step's name. Default: `switch`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }
}

/// Where an input goes.
enum Way<'a, In, Out> {
    Step(&'a Arc<dyn Node>),
    PassThrough(fn(In) -> Out),
}

impl<In, Out, K, F> Switch<In, Out, K, F>
where
    F: Fn(&In) -> K,
    K: Eq + Hash + Display,
{
    /// Asks the selector and records its answer. A panic in it is the step's.
    fn choose(&self, input: &In, cx: &Context) -> Result<Way<'_, In, Out>> {
        let key = (self.selector)(input);
        if let Some(case) = self.cases.keys.get(&key).and_then(|at| self.cases.ways.get(*at)) {
            cx.annotate(&[("switch.case", ValueRef::from(&case.label))]);
            return Ok(Way::Step(&case.node));
        }
        let way = match &self.default {
            Otherwise::Step(node) => Way::Step(node),
            Otherwise::PassThrough(pass) => Way::PassThrough(*pass),
            Otherwise::Fail => {
                let key = clip(&key, KEY_BYTES);
                cx.set("switch.case", &key);
                return Err(error::no_case(&key, self.cases.ways.iter().map(|case| &case.label)));
            }
        };
        if cx.is_recording() {
            let key = clip(&key, KEY_BYTES);
            cx.annotate(&[("switch.case", ValueRef::from(&key)), ("switch.default", ValueRef::Bool(true))]);
        }
        Ok(way)
    }
}

impl<In, Out, K, F> Primitive<In> for Switch<In, Out, K, F>
where
    In: Send + Any,
    Out: Send + 'static,
    F: Fn(&In) -> K + Send + Sync + 'static,
    K: Eq + Hash + Display + Send + Sync + 'static,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        match self.choose(&input, cx)? {
            Way::Step(node) => single(node, input, cx).await,
            Way::PassThrough(pass) => Ok(pass(input)),
        }
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "switch"
    }

    fn graph(&self) -> Graph {
        let default = match &self.default {
            Otherwise::Step(node) => node.graph(),
            Otherwise::PassThrough(_) => Graph::step(Name::from_static("pass through"), "pass_through"),
            Otherwise::Fail => Graph::fail(),
        };
        let cases = self.cases.ways.iter().map(|case| (drawn(&case.label), case.node.graph()));
        let ways = cases.chain([(Name::from_static("otherwise"), default)]).collect();
        Graph::choice(self.name.clone(), "switch", ways)
    }
}

/// A key that displays as nothing must not look like a way without a condition.
fn drawn(label: &Name) -> Name {
    if label.is_empty() { Name::from_static("\"\"") } else { label.clone() }
}

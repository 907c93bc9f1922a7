//! What groups of cases have in common whose cases take turns, each measurement in a process of its own.
//!
//! Owns finding cases by name, their turns and their medians. Does not own what is measured.

use crate::arguments::Arguments;
use crate::driver;
use crate::measurement::{Plan, median};
use serde::de::DeserializeOwned;
use std::path::Path;

/// A case of a group.
pub(crate) trait GroupCase: Copy + 'static {
    /// What stands before the `/` of its cases' full names.
    const GROUP: &'static str;
    /// In the order in which they take turns.
    const CASES: &'static [Self];
    /// What one process has measured.
    type Reading: Middle;

    /// In the table.
    fn name(&self) -> &'static str;

    /// Measures it in this process.
    fn run(&self, plan: &Plan) -> anyhow::Result<Self::Reading>;

    /// What to run it by.
    fn full_name(&self) -> String {
        format!("{}/{}", Self::GROUP, self.name())
    }

    /// The case of a full name.
    fn find(name: &str) -> Option<Self> {
        Self::CASES.iter().find(|case| case.full_name() == name).copied()
    }

    /// Those that are to be measured.
    fn wanted(arguments: &Arguments) -> Vec<Self> {
        Self::CASES.iter().filter(|case| arguments.wants(&case.full_name())).copied().collect()
    }

    /// Measures these in turn, round by round: a row for each.
    fn take_turns(
        cases: Vec<Self>,
        arguments: &Arguments,
        runner: &Path,
    ) -> anyhow::Result<Vec<(Self, Self::Reading)>> {
        let names: Vec<String> = cases.iter().map(Self::full_name).collect();
        let readings = driver::take_turns::<Self::Reading>(arguments, runner, &names)?;
        Ok(cases.into_iter().zip(readings).map(|(case, readings)| (case, Middle::middle(&readings))).collect())
    }
}

/// Figures that are summed up one by one.
pub(crate) trait Middle: Copy + DeserializeOwned {
    /// Each figure's median.
    fn middle(readings: &[Self]) -> Self;
}

/// The median of a figure that all have.
pub(crate) fn of_all<R>(readings: &[R], figure: fn(&R) -> f64) -> f64 {
    median(readings.iter().map(figure))
}

/// The median of a figure among those that have it.
pub(crate) fn of_some<R>(readings: &[R], figure: fn(&R) -> Option<f64>) -> Option<f64> {
    let figures: Vec<f64> = readings.iter().filter_map(figure).collect();
    (!figures.is_empty()).then(|| median(figures))
}

/// `Middle` of a struct of figures; after `some` those that not every reading has.
macro_rules! middle_of {
    ($reading:ident { $($all:ident),+ $(,)? } $(some { $($some:ident),+ $(,)? })?) => {
        impl $crate::group::Middle for $reading {
            fn middle(readings: &[Self]) -> Self {
                Self {
                    $($all: $crate::group::of_all(readings, |reading| reading.$all),)+
                    $($($some: $crate::group::of_some(readings, |reading| reading.$some),)+)?
                }
            }
        }
    };
}
pub(crate) use middle_of;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{export, ingest, push, redis, scrape};

    fn are_found<C: GroupCase>() {
        for case in C::CASES {
            assert_eq!(C::find(&case.full_name()).unwrap().name(), case.name());
        }
        assert!(C::find(&format!("{}/", C::GROUP)).is_none());
    }

    #[test]
    fn cases_are_found_by_their_full_names() {
        are_found::<export::Case>();
        are_found::<ingest::Case>();
        are_found::<push::Case>();
        are_found::<redis::Case>();
        are_found::<scrape::Case>();
    }

    #[test]
    fn the_rounds_of_a_case_are_summed_up_figure_by_figure() {
        let (all, none) = (of_all(&[3.0, 1.0, 2.0], |reading| *reading), of_some(&[1.0], |_: &f64| None));
        assert_eq!((all, none), (2.0, None));
        let some = of_some(&[Some(4.0), None, Some(2.0), Some(9.0)], |reading| *reading);
        assert_eq!(some, Some(4.0));
    }
}

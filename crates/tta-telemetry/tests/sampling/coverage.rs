//! That confidence intervals hold what they promise: 1,000 seeds, every way in which a trace can be
//! left to chance, at least 100 expected kept traces in each.

use tta_telemetry::sampling::{
    AdaptiveConfig, AdaptiveController, Estimate, Estimator, FinishedTrace, HeadSampler, Rate, RateBudget,
    RateBudgetConfig, RemoteParent, RemoteSampling, RuleOutcome, RunStart, SamplingHash, TailPolicy, Threshold,
};
use tta_telemetry::{IdSource, TraceClass};

const SEEDS: u64 = 1_000;
const SECOND: u64 = 1_000_000_000;

/// What a seed's run knows exactly, and what its kept traces say.
#[derive(Default)]
struct Stratum {
    truth: (f64, f64),
    estimator: Estimator,
}

impl Stratum {
    fn add(&mut self, duration: f64, weight: Option<Option<f64>>) {
        self.truth.0 += 1.0;
        self.truth.1 += duration;
        if let Some(weight) = weight {
            self.estimator.add(weight, duration);
        }
    }
}

/// How often an interval holds the truth, and how far estimates are off on the average.
#[derive(Default)]
struct Tally {
    held: u64,
    error: f64,
    square: f64,
}

impl Tally {
    fn add(&mut self, estimate: &Estimate, truth: f64) {
        let (low, high) = estimate.interval.unwrap();
        self.held += u64::from((low..=high).contains(&truth));
        let error = estimate.value / truth - 1.0;
        self.error += error;
        self.square += error * error;
    }

    fn check(&self, what: &str) {
        let seeds = SEEDS as f64;
        let covered = self.held as f64 / seeds;
        let (bias, deviation) = (self.error / seeds, (self.square / seeds).sqrt());
        println!(
            "{what}: {:.1} % covered, bias {:.2} standard errors",
            covered * 100.0,
            bias / deviation * seeds.sqrt()
        );
        assert!((0.93..=0.97).contains(&covered), "{what}: {covered}");
        assert!(bias.abs() < 3.0 * deviation / seeds.sqrt(), "{what}: {bias}");
    }
}

/// Runs a stratum under every seed.
fn check(what: &str, run: impl Fn(&mut fastrand::Rng, &IdSource) -> Stratum) {
    let (mut count, mut sum, mut mean, mut kept) = (Tally::default(), Tally::default(), Tally::default(), 0);
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let stratum = run(&mut random, &IdSource::seeded(seed * 7_919 + 13));
        let (traces, duration) = stratum.truth;
        let estimator = stratum.estimator;
        kept += estimator.count().kept;
        count.add(&estimator.count(), traces);
        sum.add(&estimator.sum(), duration);
        mean.add(&estimator.mean().unwrap(), duration / traces);
    }
    assert!(kept >= 100 * SEEDS, "{what}: {kept} kept of all seeds");
    count.check(&format!("{what}, count"));
    sum.check(&format!("{what}, sum"));
    mean.check(&format!("{what}, mean"));
}

/// Exponential with a mean of 20 ms.
fn duration(random: &mut fastrand::Rng) -> f64 {
    -20.0 * (1.0 - random.f64()).ln()
}

fn head(hash: SamplingHash, rate: f64) -> HeadSampler {
    HeadSampler::new(hash, Rate::new(rate).unwrap())
}

/// Decides about an ordinary trace; its weight if it is kept.
fn decide(
    sampler: &HeadSampler,
    start: &RunStart<'_>,
    rule: RuleOutcome,
    budget: Option<&RateBudget>,
) -> Option<Option<f64>> {
    let trace = FinishedTrace { rule, ..FinishedTrace::new(TraceClass::Normal, 1, sampler.decide(start)) };
    let decided = TailPolicy::default().decide(&trace, budget);
    decided.decision.keep.then_some(decided.adjusted_count)
}

/// As many traces as are needed for about 120 kept at this rate.
fn traces(rate: f64) -> usize {
    (120.0 / rate) as usize
}

#[test]
fn roots_at_one_rate_are_covered() {
    for (hash, rate) in [(SamplingHash::Otel, 0.5), (SamplingHash::Otel, 0.1), (SamplingHash::Md5, 0.2)] {
        let sampler = head(hash, rate);
        check(&format!("{hash} at {rate}"), |random, ids| {
            let mut stratum = Stratum::default();
            for _ in 0..traces(rate) {
                let weight = decide(&sampler, &RunStart::root(ids.trace_id()), RuleOutcome::None, None);
                stratum.add(duration(random), weight);
            }
            stratum
        });
    }
}

#[test]
fn traces_of_a_rule_with_a_rate_are_covered() {
    let sampler = head(SamplingHash::Otel, 0.9);
    let rule = RuleOutcome::Rate("imports".parse().unwrap(), Rate::new(0.15).unwrap());
    check("a rule at 0.15", |random, ids| {
        let mut stratum = Stratum::default();
        for _ in 0..traces(0.15) {
            stratum.add(duration(random), decide(&sampler, &RunStart::root(ids.trace_id()), rule, None));
        }
        stratum
    });
}

#[test]
fn traces_that_callers_sampled_with_a_threshold_are_covered() {
    let caller: Threshold = "e".parse().unwrap();
    let sampler = head(SamplingHash::Otel, 0.01);
    check("callers at 1/8", |random, ids| {
        let mut stratum = Stratum::default();
        for _ in 0..traces(0.125) {
            let start = RunStart::root(ids.trace_id());
            let is_sampled = caller.keeps(start.remote.randomness);
            let parent = if is_sampled { RemoteParent::Sampled(Some(caller)) } else { RemoteParent::NotSampled };
            let start = RunStart { remote: RemoteSampling { parent, ..start.remote }, ..start };
            stratum.add(duration(random), decide(&sampler, &start, RuleOutcome::None, None));
        }
        stratum
    });
}

#[test]
fn a_threshold_that_adaptive_control_changes_is_covered() {
    check("adaptive", |random, ids| {
        let config = AdaptiveConfig { default_rate: 0.3, ..AdaptiveConfig::default() };
        let mut controller = AdaptiveController::new(config, 0).unwrap();
        let sampler = head(SamplingHash::Otel, controller.rate());
        let mut stratum = Stratum::default();
        for _ in 0..12 {
            let mut kept = 0;
            for _ in 0..100 {
                let weight = decide(&sampler, &RunStart::root(ids.trace_id()), RuleOutcome::None, None);
                kept += u32::from(weight.is_some());
                stratum.add(duration(random), weight);
            }
            // What is kept makes the overhead: the rate depends on earlier luck.
            controller.observe(f64::from(kept) / 100.0 * 0.15);
            sampler.rate().set(controller.adjust());
        }
        stratum
    });
}

/// A budget over a head rate of 0.5, for this many windows of 40 to 300 traces: the first passes, in
/// the others about 20 are kept, each of which stands for 2 to 15.
fn check_budget(hash: SamplingHash, windows: u64) {
    let sampler = head(hash, 0.5);
    check(&format!("a budget over {hash} at 0.5, {windows} windows"), |random, ids| {
        let config = RateBudgetConfig { max_traces_per_second: Some(20.0), ..RateBudgetConfig::default() };
        let budget = RateBudget::new(config, 0).unwrap();
        let mut stratum = Stratum::default();
        for second in 1..=windows {
            for _ in 0..random.usize(40..300) {
                let start = RunStart::root(ids.trace_id());
                stratum.add(duration(random), decide(&sampler, &start, RuleOutcome::None, Some(&budget)));
            }
            budget.advance(second * SECOND);
        }
        stratum
    });
}

#[test]
fn a_threshold_that_a_budget_changes_is_covered() {
    check_budget(SamplingHash::Otel, 10);
}

#[test]
fn a_budget_over_md5_is_covered() {
    check_budget(SamplingHash::Md5, 10);
}

#[test]
fn few_windows_of_a_budget_where_most_weight_is_on_few_traces_are_covered() {
    check_budget(SamplingHash::Otel, 5);
    check_budget(SamplingHash::Md5, 5);
}

#[test]
fn failed_traces_beyond_their_own_bound_are_covered() {
    let sampler = head(SamplingHash::Otel, 0.0);
    check("failed beyond the bound", |random, ids| {
        let config = RateBudgetConfig { max_traces_per_second: Some(10.0), exempt_factor: 2.0, ..Default::default() };
        let budget = RateBudget::new(config, 0).unwrap();
        let mut stratum = Stratum::default();
        for second in 1..=10 {
            for _ in 0..random.usize(30..120) {
                let head = sampler.decide(&RunStart::root(ids.trace_id()));
                let decided =
                    TailPolicy::default().decide(&FinishedTrace::new(TraceClass::Failed, 1, head), Some(&budget));
                stratum.add(duration(random), decided.decision.keep.then_some(decided.adjusted_count));
            }
            budget.advance(second * SECOND);
        }
        stratum
    });
}

#[test]
fn sums_of_heavy_tails_are_covered() {
    // Lognormal, sigma 1: a few traces make half the sum, and a sample that lacks them cannot know.
    let (mut held, sampler) = (0, head(SamplingHash::Otel, 0.1));
    for seed in 0..SEEDS {
        let (mut random, ids) = (fastrand::Rng::with_seed(seed), IdSource::seeded(seed));
        let mut stratum = Stratum::default();
        for _ in 0..2_000 {
            let (u, v) = (1.0 - random.f64(), random.f64());
            let value = ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()).exp();
            let weight = decide(&sampler, &RunStart::root(ids.trace_id()), RuleOutcome::None, None);
            stratum.add(value, weight);
        }
        let (low, high) = stratum.estimator.sum().interval.unwrap();
        held += u64::from((low..=high).contains(&stratum.truth.1));
    }
    println!("lognormal sums: {held} of {SEEDS} covered");
    assert!((930..=970).contains(&held), "{held}");
}

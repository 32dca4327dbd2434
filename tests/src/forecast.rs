// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long kernels will take to build: by what each took where the project is made, times how
//! much faster or slower this machine was the last time that it built one from nothing.

use std::fs;
use std::sync::Once;
use std::time::Duration;

use anyhow::Result;

use crate::kernel::{self, Spec};
use crate::progress::Step;
use crate::{cache, host};

/// Where the cache keeps how fast this machine is: the part of [`Spec::work`] that it took.
const PACE: &str = "kernel-pace";

/// Says what is not built yet of `all`, and about how long that takes. Silent if it is all there.
pub fn announce(all: &[Spec]) -> Result<()> {
    host::require(host::KERNEL)?;
    let mut lacking = Vec::new();
    for spec in all {
        if !spec.is_built()? {
            lacking.push(spec);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = lacking.iter().map(|spec| spec.name).collect();
    let time = time(lacking.iter().map(|spec| spec.work).sum())?;
    let cache = cache::shared()?;
    let step = Step::new("kernels");
    step.say(&format!(
        "{} of the {} that the tests boot are not built yet: {}; {time}; kept in {}",
        lacking.len(),
        all.len(),
        names.join(", "),
        cache.display()
    ));
    Ok(())
}

/// Says once, as the first test needs an image, what all tests will take.
pub fn before_tests() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        if let Err(error) = announce(kernel::IN_TESTS) {
            // the test itself fails of it, and says so
            Step::new("kernels").say(&format!("{error:#}"));
        }
    });
}

/// About how long `work` takes here, for a person.
pub fn time(work: u32) -> Result<String> {
    let cache = cache::shared()?;
    let pace = fs::read_to_string(cache.join(PACE)).ok();
    // nonsense there is no reason to build nothing
    let pace = pace.and_then(|pace| pace.trim().parse().ok());
    let processors = std::thread::available_parallelism()?.get();
    Ok(text(work, pace.unwrap_or(1.0), processors))
}

fn text(work: u32, pace: f64, processors: usize) -> String {
    let minutes = f64::from(work) * pace / processors as f64 / 60.0;
    match minutes.ceil() {
        minutes if minutes <= 1.0 => format!("about a minute on {processors} processors"),
        minutes => format!("about {minutes} minutes on {processors} processors"),
    }
}

/// Notes that `spec` took so much of processors, from nothing.
pub fn learn(spec: &Spec, taken: Duration) -> Result<()> {
    let pace = taken.as_secs_f64() / f64::from(spec.work);
    Ok(fs::write(
        cache::shared()?.join(PACE),
        format!("{pace:.3}\n"),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_all_processors_at_this_machines_pace() {
        assert_eq!(text(1200, 1.0, 2), "about 10 minutes on 2 processors");
        assert_eq!(text(1200, 0.5, 8), "about 2 minutes on 8 processors");
        assert_eq!(text(30, 1.0, 2), "about a minute on 2 processors");
    }
}

//! How benches without criterion keep and print times: p50, p99, p99.9, max, count.

use hdrhistogram::Histogram;

/// A histogram of 1 ns to a minute, 3 digits.
pub(crate) fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 60_000_000_000, 3) {
        Ok(histogram) => histogram,
        Err(fault) => unreachable!("{fault}"),
    }
}

/// Names of the columns of [`row`], behind a title.
pub(crate) fn head(title: &str) -> String {
    format!(
        "{title:<34} {:>9} {:>9} {:>9} {:>10} {:>10}   ns",
        "p50", "p99", "p99.9", "max", "count"
    )
}

pub(crate) fn row(name: &str, times: &Histogram<u64>) -> String {
    let at = |quantile| times.value_at_quantile(quantile);
    format!(
        "{name:<34} {:>9} {:>9} {:>9} {:>10} {:>10}",
        at(0.5),
        at(0.99),
        at(0.999),
        times.max(),
        times.len()
    )
}

/// The middle of some values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The processor, its caches and the kernel, as the machine tells them.
pub(crate) fn machine() -> String {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let line = |text: &str, key: &str| {
        let row = text.lines().find(|row| row.starts_with(key))?;
        Some(row.split_once(':')?.1.trim().to_owned())
    };
    let model = read("/proc/cpuinfo".to_owned()).and_then(|text| line(&text, "model name"));
    let kernel = read("/proc/sys/kernel/osrelease".to_owned());
    let mut words = vec![
        model.unwrap_or_else(|| "unknown processor".to_owned()),
        format!(
            "{} cores",
            std::thread::available_parallelism().map_or(1, usize::from)
        ),
        format!("Linux {}", kernel.as_deref().map_or("?", str::trim)),
    ];
    words.extend(
        caches()
            .into_iter()
            .map(|(name, bytes)| format!("{name} {} KiB", bytes >> 10)),
    );
    words.join(", ")
}

/// Caches of the first core that hold data, by level, with their bytes.
pub(crate) fn caches() -> Vec<(String, u64)> {
    let folder = "/sys/devices/system/cpu/cpu0/cache";
    let of = |number: u32| {
        let read = |file: &str| {
            let text = std::fs::read_to_string(format!("{folder}/index{number}/{file}")).ok()?;
            Some(text.trim().to_owned())
        };
        if read("type")? == "Instruction" {
            return None;
        }
        let kib: u64 = read("size")?.strip_suffix('K')?.parse().ok()?;
        Some((format!("L{}", read("level")?), kib << 10))
    };
    (0..6).filter_map(of).collect()
}

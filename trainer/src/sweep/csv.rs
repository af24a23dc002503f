//! The file of a sweep: a line a trial.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::{Error, Trial};
use crate::report::parameter_bits;
use crate::training::{self, Trained};

/// The first line of the file.
const COLUMNS: &str = "key,base,settings,seed,words,parameter_bits,multiply_adds,epochs,best_epoch,validation_accuracy,seconds,failure";

/// The lines that no other line beats: as few words and a better accuracy, or as good an accuracy and fewer words. Means
/// over the seeds of the same settings, `(words, accuracy, base and settings)`, by words.
pub fn frontier(csv: &str) -> Vec<(u32, f64, String)> {
    let mut groups: BTreeMap<(u32, String), Vec<f64>> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, base, settings, _, words, _, _, _, _, accuracy, ..] = fields.as_slice() else {
            continue;
        };
        if let (Ok(words), Ok(accuracy)) = (words.parse(), accuracy.parse()) {
            let name = format!("{base} {settings}").trim_end().to_owned();
            groups.entry((words, name)).or_default().push(accuracy);
        }
    }
    let mut frontier: Vec<(u32, f64, String)> = Vec::new();
    for ((words, name), accuracies) in groups {
        let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
        match frontier.last_mut() {
            Some(last) if mean <= last.1 => {}
            Some(last) if words == last.0 => *last = (words, mean, name),
            _ => frontier.push((words, mean, name)),
        }
    }
    frontier
}

/// The keys that a file has. Makes the file where there is none, and cuts off a line that a kill left unfinished.
pub(super) fn keys(csv: &Path) -> Result<HashSet<String>, Error> {
    let io = |source| Error::Io { path: csv.into(), source };
    if !csv.exists() {
        std::fs::write(csv, format!("{COLUMNS}\n")).map_err(io)?;
    }
    let text = std::fs::read_to_string(csv).map_err(io)?;
    let complete = text.rfind('\n').map_or(0, |end| end + 1);
    if text.lines().next() != Some(COLUMNS) || complete == 0 {
        return Err(Error::Columns(csv.into()));
    }
    if complete < text.len() {
        let file = OpenOptions::new().write(true).open(csv).map_err(io)?;
        file.set_len(complete as u64).map_err(io)?;
    }
    let lines = text[..complete].lines().skip(1);
    Ok(lines.filter_map(|line| line.split(',').next()).map(str::to_owned).collect())
}

pub(super) fn line(
    key: &str,
    trial: &Trial,
    trained: Option<&Trained>,
    failure: Option<training::Error>,
    seconds: f64,
) -> String {
    let Trial { base, settings, config } = trial;
    let (mut words, mut bits, mut multiply_adds) = (0, 0, 0);
    if let Ok(header) = config.header() {
        words = header.word_count();
        bits = parameter_bits(&header);
        multiply_adds = header.multiply_adds();
    }
    let results = trained.map_or(",,".into(), |trained| {
        format!("{},{},{:.5}", trained.epochs, trained.best_epoch, trained.validation_accuracy)
    });
    let failure =
        failure.map_or(String::new(), |error| error.to_string().replace([',', '\n'], ";"));
    let seed = config.training.seed;
    format!(
        "{key},{base},{settings},{seed},{words},{bits},{multiply_adds},{results},{seconds:.0},{failure}"
    )
}

pub(super) fn append(file: &mut File, line: &str) -> std::io::Result<()> {
    // One write, so that lines of several threads or processes do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frontier_leaves_out_what_others_beat() {
        let csv = format!(
            "{COLUMNS}\n\
             k,a,x=1,1,14,0,0,9,9,0.970,60,\n\
             k,a,x=1,2,14,0,0,9,9,0.980,60,\n\
             k,a,x=2,1,14,0,0,9,9,0.976,60,\n\
             k,b,,1,16,0,0,9,9,0.971,60,\n\
             k,c,,1,20,0,0,9,9,0.990,60,\n\
             k,d,,1,12,0,0,,,,60,the loss is NaN\n"
        );
        let frontier = frontier(&csv);
        assert_eq!(frontier.len(), 2);
        assert_eq!((frontier[0].0, frontier[0].2.as_str()), (14, "a x=2"));
        assert!((frontier[0].1 - 0.976).abs() < 1e-9);
        assert_eq!((frontier[1].0, frontier[1].2.as_str()), (20, "c"));
    }
}

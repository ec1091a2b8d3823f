//! [`Srun`]: the machines of a Slurm cluster.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use procession_process_transport::Command;
use procession_process_transport::driver::Elsewhere;

use crate::launcher::script;
use crate::{LaunchError, Launcher};

/// The machines of a Slurm cluster, by the system's `srun`: one task for each run.
///
/// Inside of an allocation, each run is a step of it. Outside, each run makes an allocation and waits for
/// it. `srun` gives the program the variables of this program, with the changes of the command, and the
/// current directory, or that of the command.
///
/// Statuses and signals are as Slurm has them: the status is the program's, 128 and a number stand for a
/// signal, and a program that is not there has status 2. A timeout, a cancellation and the end of this
/// program end `srun`, and with it the step; Slurm kills it at once.
///
/// # Examples
///
/// ```
/// use procession::{Command, Launcher, Srun};
///
/// let srun = Srun::new().overlap().option("--cpus-per-task=2");
/// let local = srun.launch(&Command::new("make").arg("-j2").current_dir("/src"))?;
/// let words: Vec<_> = local.get_args().map(|word| word.to_str().unwrap()).collect();
/// assert_eq!(local.get_program(), "srun");
/// assert_eq!(
///     words.join(" "),
///     "--quiet --nodes=1 --ntasks=1 --overlap --cpus-per-task=2 --chdir=/src -- make -j2"
/// );
/// # Ok::<(), procession::LaunchError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a run goes there"]
pub struct Srun {
    options: Vec<OsString>,
    pub(crate) slots: usize,
}

impl Srun {
    /// Creates a launcher with Slurm's own settings.
    pub fn new() -> Self {
        Self { options: Vec::new(), slots: 1 }
    }

    /// Sets how many runs of a [`run_all`](crate::run_all()) go there at a time. The default, and the
    /// least, is 1.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// Adds an option of `srun(1)`: `--mem=1G`.
    pub fn option(mut self, option: impl AsRef<OsStr>) -> Self {
        self.options.push(option.as_ref().to_owned());
        self
    }

    /// Lets each run share its resources with other steps: `--overlap`.
    pub fn overlap(self) -> Self {
        self.option("--overlap")
    }

    /// Gives each run its resources alone: `--exclusive`. Steps of an allocation that has none left wait.
    pub fn exclusive(self) -> Self {
        self.option("--exclusive")
    }
}

impl Default for Srun {
    fn default() -> Self {
        Self::new()
    }
}

impl Launcher for Srun {
    fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
        let there = Elsewhere::of(command).map_err(|option| LaunchError::NotCarried { option })?;
        let mut words: Vec<OsString> =
            ["--quiet", "--nodes=1", "--ntasks=1"].map(Into::into).to_vec();
        words.extend(self.options.iter().cloned());
        if let Some(dir) = &there.current_dir {
            let mut word = OsString::from("--chdir=");
            word.push(OsStr::from_bytes(script::directory(dir)?));
            words.push(word);
        }
        words.push("--".into());
        if there.merges_stderr {
            words.extend(["/bin/sh", "-c", "exec \"$@\" 2>&1", "sh"].map(Into::into));
        }
        words.extend(script::argv(&there)?.into_iter().map(OsString::from_vec));
        let local = there.launched_by("srun", words);
        // Slurm carries the umask of `srun`.
        Ok(match there.umask {
            Some(umask) => local.umask(umask),
            None => local,
        })
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("Slurm")
    }
}

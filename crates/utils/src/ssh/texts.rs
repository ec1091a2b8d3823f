//! The scripts of a connection: one that stays on the host, and those of each run, here and there.
//!
//! # Model
//!
//! A connection has a folder on its host, where temporary files are, with a file for each run. A run's script makes its file before
//! anything else, which fails if the file is there or the folder is not; the file has the number of the
//! script's process, which leads a session. When the program has ended, its status is added.
//!
//! So whoever makes the file first decides: a run whose file somebody else has made never starts, and a
//! run whose file has a number may have. A question about a run makes the file. A second file says that the
//! run is being ended: its script may be gone before its group is.
//!
//! The keeper is the connection's own session. It makes the folder, and reads orders: `beat RUN…` with the
//! runs that are over, whose files it removes, and `end RUN TENTHS`. At the end of its input, and when no
//! beat has come for long, the connection is gone: it ends all runs, removes the folder, and exits.
//!
//! The scripts make empty files by `true`: the failure of a redirection of `:` would end the shell.

use crate::launcher::quote::for_login_shell;

/// The names of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The control socket, on this machine.
    pub(crate) socket: String,
    /// A name that no other connection has: letters, digits and hyphens.
    pub(crate) nonce: String,
}

/// A run of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunIds {
    /// Its number, unique in its connection.
    pub(crate) id: u64,
    /// The time between TERM and KILL, in tenths of seconds.
    pub(crate) tenths: u64,
}

/// Ends groups. A number that `ps` or /proc says is another program's is left alone. While a member of a
/// group lives, the system gives its number to no other process.
const ENDING: &str = r#"
ours() {
  kill -0 "$1" || return 0
  if [ -r "/proc/$1/cmdline" ]; then
    [ -n "$(tr -d '\0' <"/proc/$1/cmdline")" ] || return 0
    grep -q "$n" "/proc/$1/cmdline"
  else
    case $(ps -ww -o args= -p "$1") in *"$n"*) ;; *) return 1 ;; esac
  fi
} 2>/dev/null
look() {
  p= s=
  { read -r p && read -r x x x s; } <"$1"
  [ -n "$p" ]
} 2>/dev/null
end() {
  kill -TERM "-$1" && kill -CONT "-$1"
  t=0
  while kill -0 "-$1"; do
    [ "$t" -lt "$2" ] || kill -KILL "-$1"
    [ "$t" -lt $(($2 + 5)) ] || break
    case $t in
    0) sleep 0.01 || sleep 1; sleep 0.03; sleep 0.06 ;;
    *) sleep 0.1 || sleep 1 ;;
    esac
    t=$((t + 1))
  done
} 2>/dev/null
stop() {
  f=$d/$1
  set -C
  if { echo ended before it began >"$f"; } 2>/dev/null; then
    set +C
    echo unstarted
    return
  fi
  set +C
  t=0
  until look "$f"; do
    [ -f "$f" ] && [ "$t" -lt 20 ] || { echo lost; return; }
    t=$((t + 1))
    sleep 0.05 || sleep 1
  done
  case $p in
  ended*) echo unstarted ;;
  *)
    if [ -n "$s" ] && [ "$3" != end ]; then
      echo "$s"
    else
      true >"$f.ending"
      ours "$p" && end "$p" "$2"
      rm -f "$f.ending"
      echo lost
    fi
    ;;
  esac
}
"#;

/// Returns the command line of the keeper. It prints `ready` and the nonce.
pub(crate) fn keeper(names: &Names, beat_secs: u64, tenths: u64) -> String {
    let head = head(names);
    let script = format!(
        r#"{head}{ENDING}umask 077
m=$$
trap '' HUP INT PIPE
mkdir "$d" || exit 1
# Where the disk is full, no run could start. The shell's own `echo` would not say why.
if ! env echo "$m" >"$d/keeper"; then
  rm -rf "$d"
  exit 1
fi
all() {{
  trap '' TERM
  set --
  for f in "$d"/[0-9]*; do
    look "$f" || continue
    # Of a broken pipe a program dies when its connection does.
    case $s in
    '' | 141) ;;
    *) [ -e "$f.ending" ] || continue ;;
    esac
    if ours "$p"; then
      end "$p" {tenths} &
      set -- "$@" "$!"
    fi
  done
  [ $# = 0 ] || wait "$@"
  rm -rf "$d"
}}
(
  while sleep {patience}; do
    if [ -e "$d/beat" ]; then
      rm -f "$d/beat"
    else
      all
      kill -KILL "-$m"
    fi
  done
) </dev/null >/dev/null 2>&1 &
echo "ready $n"
while read -r order words; do
  set -- $words
  case $order in
  beat)
    true >"$d/beat"
    [ $# = 0 ] || (cd "$d" && rm -f "$@")
    ;;
  end) stop "$1" "$2" end </dev/null >/dev/null & ;;
  esac
done
all >/dev/null 2>&1
kill -TERM "-$m" 2>/dev/null
exit 0
"#,
        patience = beat_secs.saturating_mul(3),
    );
    for_login_shell(&names.nonce, script.as_bytes())
}

/// Returns the command line that runs a program: `run` are the lines that do.
pub(crate) fn run(names: &Names, ids: RunIds, run: &[u8]) -> String {
    let RunIds { id, .. } = ids;
    let mut script = head(names).into_bytes();
    script.extend_from_slice(
        format!(
            "set -C\n{{ echo $$ >\"$d/{id}\"; }} 2>/dev/null || exit 255\nset +C\n\
             trap : HUP INT TERM\n\
             over() {{\n  {{ echo \"ended with status $1\" >>\"$d/{id}\"; }} 2>/dev/null\n  exit \"$1\"\n}}\n"
        )
        .as_bytes(),
    );
    script.extend_from_slice(run);
    script.extend_from_slice(b"over $?\n");
    for_login_shell(&names.nonce, &script)
}

/// What a script does if the directory is not there.
pub(crate) const NO_DIR: &str = "over 126";

/// Returns the command line that asks for a run: it prints the status, `unstarted` or `lost`. With the word
/// `look` after it, it ends a run that has no status. With `end` it ends the group in any case.
pub(crate) fn ask(names: &Names, ids: RunIds) -> String {
    let RunIds { id, tenths } = ids;
    let script = format!("{}{ENDING}stop {id} {tenths} \"$2\"\n", head(names));
    for_login_shell(&names.nonce, script.as_bytes())
}

/// The nonce comes first, so that it is also in a list of processes that is cut.
fn head(names: &Names) -> String {
    format!("n={} d=${{TMPDIR:-/tmp}}/{}\n", names.nonce, names.nonce)
}

/// The local script of a run. Its arguments are the control socket, the line that runs the program, the
/// line that asks for it, and the words of `ssh` up to the host.
///
/// A signal ends `ssh` first, then the tree over there, then the script itself by the same signal. If `ssh`
/// fails, its status is 255; if it is killed, it is 128 and a number. Both may be the program's: they are if
/// the host says so. Otherwise descriptor 3 says what is known.
pub(crate) const LOCAL: &str = r#"c=$1 run=$2 ask=$3
shift 3
exec 4<&0 </dev/null
caught=
trap 'caught=1; [ -z "$!" ] || kill "$!" 2>/dev/null' HUP INT TERM
say() { echo "$1" >&3; } 2>/dev/null
if [ ! -S "$c" ]; then
  say unstarted
  exit 255
fi
"$@" "$run" <&4 3>&- 4<&- &
exec 4<&-
[ -z "$caught" ] || kill "$!"
wait "$!"
s=$?
[ -z "$caught" ] || wait "$!"
trap 'caught=1' HUP INT TERM
if [ -z "$caught" ] && [ "$s" -gt 128 ]; then
  known=$("$@" "$ask look" 2>/dev/null 3>&-)
  if [ "$known" = unstarted ]; then
    say unstarted
  elif [ "$known" != "$s" ]; then
    say lost
  fi
fi
if [ -n "$caught" ]; then
  trap '' HUP INT TERM
  "$@" "$ask end" >/dev/null 2>&1 3>&-
  trap - TERM
  kill -TERM $$
fi
exit "$s"
"#;

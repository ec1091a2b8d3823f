//! The programs of the facade's pages and of the README, as a reader copies them: without the lines
//! that rustdoc hides. A program is a block with a `fn main`; what has none is part of one, and is put
//! where the guide says that it stands.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages, relative to the package.
const PAGES: [&str; 4] = ["src/lib.rs", "src/guide.rs", "src/guide", "../../README.md"];

/// A program of a page.
struct Program {
    /// The page, and the line of its fence.
    at: String,
    shown: String,
    hidden: Vec<String>,
}

impl Program {
    /// The package that it says it depends on.
    fn package(&self) -> &'static str {
        if self.shown.contains("use procession_reactor::") { "reactor" } else { "procession" }
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for page in PAGES {
        let path = package().join(page);
        if path.is_dir() {
            pages.extend(
                fs::read_dir(path).expect("a folder").map(|page| page.expect("a page").path()),
            );
        } else {
            pages.push(path);
        }
    }
    pages
}

/// The line as rustdoc gets it; `None` for one that is no text of a Rust page.
fn text<'a>(page: &Path, line: &'a str) -> Option<&'a str> {
    if page.extension().is_some_and(|extension| extension == "md") {
        return Some(line);
    }
    let text = line.trim_start().strip_prefix("//!")?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}

/// A part of a program that says that it needs a type from the program above it.
const LEANS_ON: &str = "FakeProcess::new(WordCount";

/// The program that a part is part of: after its imports, a function with a reactor.
fn around(part: &str) -> String {
    let (imports, rest): (Vec<_>, Vec<_>) = part.lines().partition(|line| line.starts_with("use "));
    format!(
        "#![allow(unused)]\n{}\nfn main() -> Result<(), Box<dyn std::error::Error>> {{\n\
         let mut reactor = procession::Reactor::new()?;\n{}\nOk(())\n}}\n",
        imports.join("\n"),
        rest.join("\n")
    )
}

/// The blocks of Rust, parts as programs.
fn programs(page: &Path) -> Vec<Program> {
    let source = fs::read_to_string(page).expect("a page");
    let mut programs = Vec::new();
    // Inside of a block; `true` where it is Rust.
    let mut block: Option<(bool, Program)> = None;
    for (number, line) in source.lines().enumerate() {
        let Some(line) = text(page, line) else { continue };
        if let Some(language) = line.strip_prefix("```") {
            let is_rust = matches!(language, "" | "no_run" | "rust" | "rust,no_run");
            let at = format!("{}:{}", page.display(), number + 1);
            block = match block.take() {
                None => Some((is_rust, Program { at, shown: String::new(), hidden: Vec::new() })),
                Some((was_rust, mut program)) => {
                    if !program.shown.contains("fn main()") {
                        program.shown = around(&program.shown);
                        program.hidden.clear();
                    }
                    let is_whole = was_rust && !program.shown.contains(LEANS_ON);
                    programs.extend(is_whole.then_some(program));
                    None
                }
            };
        } else if let Some((_, program)) = &mut block {
            match line.trim_start().strip_prefix('#') {
                Some(rest) if rest.is_empty() || rest.starts_with(' ') => {
                    program.hidden.push(rest.trim().to_owned());
                }
                _ => writeln!(program.shown, "{line}").expect("a string takes it"),
            }
        }
    }
    programs
}

fn all_programs() -> Vec<Program> {
    let programs: Vec<_> = pages().iter().flat_map(|page| programs(page)).collect();
    assert!(programs.len() >= 20, "only {} programs", programs.len());
    programs
}

/// What is hidden from a reader of a program may look at its outcome, and do nothing else.
#[test]
fn a_program_hides_nothing_but_assertions() {
    let problems: Vec<_> = all_programs()
        .into_iter()
        .flat_map(|program| {
            let hidden = program.hidden.into_iter().filter(|line| !line.starts_with("assert"));
            hidden.map(|line| format!("{} hides `{line}`", program.at)).collect::<Vec<_>>()
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The slow tier: each program is compiled in a package that depends on `procession` alone, or where
/// it says so on `procession-reactor`.
#[test]
fn programs_compile_as_they_are_shown() {
    if std::env::var_os("PROCESSION_SLOW").is_none_or(|value| value != "1") {
        return;
    }
    let root = package().join("../..").canonicalize().expect("the workspace");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shown_programs");
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what a run before has left");
    }
    let mut of =
        [("procession", "procession", Vec::new()), ("reactor", "procession-reactor", Vec::new())];
    for program in all_programs() {
        let package = program.package();
        let (.., programs) = of.iter_mut().find(|(name, ..)| *name == package).expect("one of two");
        programs.push(program);
    }
    for (name, dependency, programs) in &of {
        let source = folder.join(name).join("src/bin");
        fs::create_dir_all(&source).expect("a new folder");
        for (number, program) in programs.iter().enumerate() {
            let text = format!("// {}\n{}", program.at, program.shown);
            fs::write(source.join(format!("shown_{number}.rs")), text).expect("a new file");
        }
        let path = root.join("crates").join(name);
        let manifest = format!(
            "[package]\nname = \"shown-{name}\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependency} = {{ path = {path:?} }}\n"
        );
        fs::write(folder.join(name).join("Cargo.toml"), manifest).expect("a new file");
    }
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"procession\", \"reactor\"]\n";
    fs::write(folder.join("Cargo.toml"), manifest).expect("a new file");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the versions of the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let checked = Command::new(cargo)
        .args(["check", "--offline", "--quiet", "--workspace", "--bins", "--keep-going"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .expect("cargo starts");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

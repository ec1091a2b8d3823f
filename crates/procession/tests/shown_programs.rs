//! The programs of the facade's pages and of the README compile as a reader copies them, without the
//! lines that rustdoc hides. A block with a `fn main` is a whole program. A block without one is part of
//! a program, and these tests put it in a function as the guide describes.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages, relative to the package.
const PAGES: [&str; 5] =
    ["src/lib.rs", "src/guide.rs", "src/guide", "README.md", "../../README.md"];

/// A program of a page.
struct Program {
    /// The page, and the line of the block's opening fence.
    at: String,
    shown: String,
    hidden: Vec<String>,
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

/// Returns the line as rustdoc sees it; `None` for a line outside of the doc comment of a Rust page.
fn text<'a>(page: &Path, line: &'a str) -> Option<&'a str> {
    if page.extension().is_some_and(|extension| extension == "md") {
        return Some(line);
    }
    let text = line.trim_start().strip_prefix("//!")?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}

/// Marks a part of a program that needs a type from the program above it.
const NEEDS_WORD_COUNT: &str = "FakeProcess::new(WordCount";

/// Returns `part` as a whole program: its imports, then the rest in a `main` with a reactor, which runs
/// a part that awaits.
fn wrap_in_main(part: &str) -> String {
    let (imports, rest): (Vec<_>, Vec<_>) = part.lines().partition(|line| line.starts_with("use "));
    let (imports, mut rest) = (imports.join("\n"), rest.join("\n"));
    if rest.contains(".await") && !rest.contains("block_on") {
        rest = format!(
            "reactor.block_on(async {{\n{rest}\nOk::<(), Box<dyn std::error::Error>>(())\n}})?;"
        );
    }
    format!(
        "#![allow(unused)]\n{imports}\nfn main() -> Result<(), Box<dyn std::error::Error>> {{\n\
         let mut reactor = procession::Reactor::new()?;\n{rest}\nOk(())\n}}\n"
    )
}

/// Returns the Rust blocks of a page; parts are wrapped as whole programs.
fn programs(page: &Path) -> Vec<Program> {
    let source = fs::read_to_string(page).expect("a page");
    let mut programs = Vec::new();
    // `Some` inside of a block; `true` if the block is Rust.
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
                        program.shown = wrap_in_main(&program.shown);
                        program.hidden.clear();
                    }
                    let is_whole = was_rust && !program.shown.contains(NEEDS_WORD_COUNT);
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

/// The hidden lines of a program are assertions about its outcome, and nothing else.
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

/// In the slow tier: compiles each program in a package whose only dependency is `procession`.
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
    let source = folder.join("src/bin");
    fs::create_dir_all(&source).expect("a new folder");
    for (number, program) in all_programs().iter().enumerate() {
        let text = format!("// {}\n{}", program.at, program.shown);
        fs::write(source.join(format!("shown_{number}.rs")), text).expect("a new file");
    }
    let path = root.join("crates/procession");
    let manifest = format!(
        "[package]\nname = \"shown\"\nedition = \"2024\"\n\n\
         [dependencies]\nprocession = {{ path = {path:?} }}\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a new file");
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))
        .expect("the versions of the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let checked = Command::new(cargo)
        .args(["check", "--offline", "--quiet", "--bins", "--keep-going"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .expect("cargo starts");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

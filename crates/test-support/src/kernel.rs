//! Features of the kernel that the tests run on.

/// Returns whether the kernel keeps the status of a reaped child for its pidfd (Linux 6.15 and
/// later).
pub fn keeps_statuses() -> bool {
    is_since([6, 15])
}

/// Returns whether a pidfd can signal the group that its process leads or led (Linux 6.9 and
/// later).
pub fn signals_groups_by_pidfd() -> bool {
    is_since([6, 9])
}

/// Returns whether a process that dumps core ends alone (Linux 5.16 and later). An older kernel also
/// ends every process that shares its memory, such as the parent of a child before its exec.
pub fn core_dumps_end_one_process() -> bool {
    is_since([5, 16])
}

/// Returns whether a copy of a descriptor table is surely free of marks for numbers that are not open
/// (Linux 6.11 and later). On an older kernel a child looks for numbers that could leave such a mark.
pub fn copies_tables_without_marks() -> bool {
    is_since([6, 11])
}

fn is_since(version: [u32; 2]) -> bool {
    let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") else { return false };
    let numbers: Vec<u32> = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse().ok())
        .take(2)
        .collect();
    numbers >= version.to_vec()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mends user-mode Linux of 6.12 on processors whose floating-point state is larger than it
//! knows of (AMX).
//!
//! `restore_fp_registers()` in `arch/x86/um/os-Linux/registers.c` gives the host 2,696 bytes
//! (`HOST_FP_SIZE`). The host takes its whole XSAVE area or nothing (`xstateregs_set()` in
//! `arch/x86/kernel/fpu/regset.c`), so there the first process in the guest is killed. The
//! mended function reads the whole area, changes the part that it knows, and writes it back.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

const FILE: &str = "arch/x86/um/os-Linux/registers.c";

const OLD: &str = "\
	if (have_xstate_support) {
		iov.iov_base = fp_regs;
		iov.iov_len = FP_SIZE * sizeof(unsigned long);
		if (ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
			return -errno;
";

const NEW: &str = "\
	if (have_xstate_support) {
		static char area[16384] __attribute__((aligned(64)));
		size_t known = FP_SIZE * sizeof(unsigned long);

		iov.iov_base = area;
		iov.iov_len = sizeof(area);
		if (ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
			return -errno;
		__builtin_memcpy(area, fp_regs, known < iov.iov_len ? known : iov.iov_len);
		if (ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov) < 0)
			return -errno;
";

/// Mends the function in an unpacked source of Linux, once.
pub fn mend(source: &Path) -> Result<()> {
    let file = source.join(FILE);
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if text.contains(NEW) {
        return Ok(());
    }
    let Some(text) = mended(&text) else {
        bail!("{}: not the function that Linux 6.12 has", file.display());
    };
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The mended text; `None` if the function is another one.
fn mended(text: &str) -> Option<String> {
    (text.matches(OLD).count() == 1).then(|| text.replace(OLD, NEW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_is_mended_and_another_one_is_refused() {
        let before = format!("a\n{OLD}b\n");
        let after = mended(&before).unwrap();
        assert_eq!(after, format!("a\n{NEW}b\n"));
        assert_eq!(mended("another"), None);
    }
}

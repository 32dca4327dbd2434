// SPDX-License-Identifier: GPL-2.0-only
/* Where the module's code went, for libFuzzer: gcc calls this in each basic block. */
#include <stdint.h>

#define COUNTERS	(1 << 15)

/* libFuzzer looks for this section. */
__attribute__((section("__libfuzzer_extra_counters")))
static uint8_t counters[COUNTERS];

extern char __executable_start;

void __wrap___sanitizer_cov_trace_pc(void)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0) - (uintptr_t)&__executable_start;
	uint8_t *counter = &counters[(uint32_t)pc * 2654435761U >> 17];

	if (*counter < 255)
		++*counter;
}

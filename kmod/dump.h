/* SPDX-License-Identifier: GPL-2.0-only */
/* Dumps: the table, or what a filter selects of it, in as many parts as fit. */
#ifndef _NL31_DUMP_H
#define _NL31_DUMP_H

#include "request.h"

int nl31_dump(struct nl31_request *req);

#endif /* _NL31_DUMP_H */

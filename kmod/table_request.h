/* SPDX-License-Identifier: GPL-2.0-only */
/* What the greeting and the table messages mean. */
#ifndef _NL31_TABLE_REQUEST_H
#define _NL31_TABLE_REQUEST_H

#include "request.h"

int nl31_greet(struct nl31_request *req);
int nl31_table_get(struct nl31_request *req);
int nl31_table_new(struct nl31_request *req);

#endif /* _NL31_TABLE_REQUEST_H */

/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Messages as they go over the wire, for kmod/README.md. */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include "client.h"

void examples(void);

#endif

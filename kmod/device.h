/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of network devices, passed on to the paths over them. */
#ifndef _NL31_DEVICE_H
#define _NL31_DEVICE_H

int nl31_device_init(void);
void nl31_device_exit(void);

#endif /* _NL31_DEVICE_H */

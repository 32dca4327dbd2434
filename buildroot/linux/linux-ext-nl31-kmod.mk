################################################################################
#
# nl31-kmod: the routing subsystem, built into the kernel
#
################################################################################

# SPDX-License-Identifier: MIT OR Apache-2.0

LINUX_EXTENSIONS += nl31-kmod

define NL31_KMOD_PREPARE_KERNEL
	$(NL31_KMOD_DIR)/add-to-kernel.sh $(LINUX_DIR)
endef

ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD),y)

# The extension's own hook runs before the kernel is patched, once. Edits of
# kmod/ reach an unpacked kernel by the first of these, and a kernel from
# LINUX_OVERRIDE_SRCDIR, which is not patched at all, gets kmod/ by the second.
define NL31_KMOD_UPDATE_KERNEL
	$(if $(wildcard $(LINUX_DIR)/net/Kconfig),$(NL31_KMOD_PREPARE_KERNEL))
endef
NL31_KMOD_POST_RSYNC_HOOKS += NL31_KMOD_UPDATE_KERNEL
# check-package disable TypoInPackageVariable
LINUX_POST_RSYNC_HOOKS += NL31_KMOD_PREPARE_KERNEL

# The kernel tells addresses when it panics; its image has no names for them.
define NL31_KMOD_KEEP_SYMBOLS
	$(INSTALL) -D -m 0644 $(LINUX_DIR)/System.map $(BINARIES_DIR)/symbols/System.map
	$(INSTALL) -D -m 0644 $(LINUX_DIR)/vmlinux $(BINARIES_DIR)/symbols/vmlinux
endef
# check-package disable TypoInPackageVariable
LINUX_POST_INSTALL_IMAGES_HOOKS += NL31_KMOD_KEEP_SYMBOLS

# external.mk makes the file. Without KCONFIG_ALLCONFIG, whatever becomes visible
# through a fragment would get its default value, which is often y.
ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD_ALLNOCONFIG),y)
NL31_KMOD_FRAGMENTS = $(LINUX_DIR)/.nl31_fragments
# check-package disable TypoInPackageVariable
LINUX_KCONFIG_DEFCONFIG = KCONFIG_ALLCONFIG=$(NL31_KMOD_FRAGMENTS) allnoconfig
endif

endif # BR2_LINUX_KERNEL_EXT_NL31_KMOD

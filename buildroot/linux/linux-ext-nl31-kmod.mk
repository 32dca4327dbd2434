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
# check-package disable TypoInPackageVariable
LINUX_PRE_BUILD_HOOKS += NL31_KMOD_PREPARE_KERNEL
# check-package disable TypoInPackageVariable
LINUX_POST_RSYNC_HOOKS += NL31_KMOD_PREPARE_KERNEL

# Kconfig drops what it does not know, and what depends on something absent,
# without a word.
define NL31_KMOD_CHECK_FRAGMENTS
	$(BR2_EXTERNAL_NL31_PATH)/linux/check-fragments.sh \
		$(LINUX_DIR)/.config $(LINUX_KCONFIG_FRAGMENT_FILES)
endef
# check-package disable TypoInPackageVariable
LINUX_POST_CONFIGURE_HOOKS += NL31_KMOD_CHECK_FRAGMENTS

# external.mk makes the file. Without KCONFIG_ALLCONFIG, whatever becomes visible
# through a fragment would get its default value, which is often y.
ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD_ALLNOCONFIG),y)
NL31_KMOD_FRAGMENTS = $(LINUX_DIR)/.nl31_fragments
# check-package disable TypoInPackageVariable
LINUX_KCONFIG_DEFCONFIG = KCONFIG_ALLCONFIG=$(NL31_KMOD_FRAGMENTS) allnoconfig
endif

endif # BR2_LINUX_KERNEL_EXT_NL31_KMOD

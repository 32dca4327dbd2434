# SPDX-License-Identifier: MIT OR Apache-2.0

include $(sort $(wildcard $(BR2_EXTERNAL_NL31_PATH)/package/*/*.mk))

ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD),y)

# A kernel from LINUX_OVERRIDE_SRCDIR has no patch step that would wait for kmod/.
ifneq ($(LINUX_OVERRIDE_SRCDIR),)
$(LINUX_TARGET_RSYNC): | nl31-kmod-rsync
endif

# What linux-ext-nl31-kmod.mk gives to allnoconfig. It is older than the kernel's
# configuration when nothing changed, so nothing is configured twice.
ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD_ALLNOCONFIG),y)
$(NL31_KMOD_FRAGMENTS): $(LINUX_KCONFIG_FRAGMENT_FILES) | linux-patch
	cat /dev/null $(LINUX_KCONFIG_FRAGMENT_FILES) >$@

$(LINUX_DIR)/$(LINUX_KCONFIG_STAMP_DOTCONFIG): $(NL31_KMOD_FRAGMENTS)
endif

endif # BR2_LINUX_KERNEL_EXT_NL31_KMOD

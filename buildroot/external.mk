# SPDX-License-Identifier: MIT OR Apache-2.0

include $(sort $(wildcard $(BR2_EXTERNAL_NL31_PATH)/package/*/*.mk))

# Buildroot copies a local package once. Each of these stamps is checked by every make, and is
# newer than what was built from other sources than today's.
NL31_PROJECT = $(realpath $(BR2_EXTERNAL_NL31_PATH)/..)
NL31_STAMP = $(BUILD_DIR)/.nl31_sources_

.PHONY: nl31-check-sources
nl31-check-sources:

# The agent names the commit, so it is built again for each.
$(NL31_STAMP)agent: nl31-check-sources
	@$(BR2_EXTERNAL_NL31_PATH)/stamp.sh $@ \
		"$$($(NL31_PROJECT)/board/common/build-id.sh)" \
		$(addprefix $(NL31_PROJECT)/,Cargo.toml Cargo.lock agent) \
		$(BR2_EXTERNAL_NL31_PATH)/package/nl31-agent

# From the configuration on, as there Buildroot begins to note what a package installs.
$(NL31_AGENT_TARGET_RSYNC): $(NL31_STAMP)agent
$(NL31_AGENT_TARGET_CONFIGURE): $(NL31_AGENT_TARGET_RSYNC)

# Before the overlays are copied.
define NL31_DROP_OVERLAY_FILES
	$(BR2_EXTERNAL_NL31_PATH)/drop-overlay-files.sh $(BUILD_DIR)/.nl31_overlay_files \
		$(TARGET_DIR) $(call qstrip,$(BR2_ROOTFS_OVERLAY))
endef
TARGET_FINALIZE_HOOKS += NL31_DROP_OVERLAY_FILES

# The settings of Raspberry Pi's firmware are copied beside it once, as it is.
ifneq ($(RPI_FIRMWARE_CONFIG_FILE)$(RPI_FIRMWARE_CMDLINE_FILE),)
$(NL31_STAMP)rpi-firmware: nl31-check-sources
	@$(BR2_EXTERNAL_NL31_PATH)/stamp.sh $@ rpi-firmware \
		$(RPI_FIRMWARE_CONFIG_FILE) $(RPI_FIRMWARE_CMDLINE_FILE)

$(RPI_FIRMWARE_TARGET_CONFIGURE): $(NL31_STAMP)rpi-firmware
endif

# Buildroot goes by a fragment's time; what it says and which there are decide as well.
# Kconfig silently drops what it does not know, and what depends on something absent.
define NL31_CHECK_FRAGMENTS
	$(BR2_EXTERNAL_NL31_PATH)/linux/check-fragments.sh $(@D)/.config \
		$($(PKG)_KCONFIG_FRAGMENT_FILES)
endef
define NL31_FRAGMENTS
$(2)_POST_CONFIGURE_HOOKS += NL31_CHECK_FRAGMENTS

$$(NL31_STAMP)$(1): nl31-check-sources | $(1)-patch
	@$$(BR2_EXTERNAL_NL31_PATH)/stamp.sh $$@ $(1) $$($(2)_KCONFIG_FRAGMENT_FILES)

$$($(2)_DIR)/$$($(2)_KCONFIG_STAMP_DOTCONFIG): $$(NL31_STAMP)$(1)
endef
$(foreach package,busybox linux uboot,\
	$(if $($(call UPPERCASE,$(package))_KCONFIG_FRAGMENT_FILES),\
		$(eval $(call NL31_FRAGMENTS,$(package),$(call UPPERCASE,$(package))))))

ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD),y)

$(NL31_STAMP)kmod: nl31-check-sources
	@$(BR2_EXTERNAL_NL31_PATH)/stamp.sh $@ kmod $(NL31_PROJECT)/kmod

# The new files are in the kernel before it is configured, as its options may be others.
$(NL31_KMOD_TARGET_RSYNC): $(NL31_STAMP)kmod
$(LINUX_DIR)/$(LINUX_KCONFIG_STAMP_DOTCONFIG): $(NL31_KMOD_TARGET_RSYNC)

# A kernel from LINUX_OVERRIDE_SRCDIR has no patch step that would wait for kmod/.
ifneq ($(LINUX_OVERRIDE_SRCDIR),)
$(LINUX_TARGET_RSYNC): | nl31-kmod-rsync
endif

# What linux-ext-nl31-kmod.mk gives to allnoconfig. It is older than the kernel's
# configuration when nothing changed, so nothing is configured twice.
ifeq ($(BR2_LINUX_KERNEL_EXT_NL31_KMOD_ALLNOCONFIG),y)
$(NL31_KMOD_FRAGMENTS): $(if $(LINUX_KCONFIG_FRAGMENT_FILES),$(NL31_STAMP)linux) | linux-patch
	cat /dev/null $(LINUX_KCONFIG_FRAGMENT_FILES) >$@

$(LINUX_DIR)/$(LINUX_KCONFIG_STAMP_DOTCONFIG): $(NL31_KMOD_FRAGMENTS)
endif

endif # BR2_LINUX_KERNEL_EXT_NL31_KMOD

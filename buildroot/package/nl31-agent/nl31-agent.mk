################################################################################
#
# nl31-agent
#
################################################################################

# SPDX-License-Identifier: MIT OR Apache-2.0

NL31_AGENT_VERSION = 0.1.0
# The whole working tree, because its Cargo.toml and Cargo.lock are at the top.
NL31_AGENT_SITE = $(realpath $(BR2_EXTERNAL_NL31_PATH)/..)
NL31_AGENT_SITE_METHOD = local
NL31_AGENT_SUBDIR = agent/daemon
NL31_AGENT_LICENSE = MIT or Apache-2.0
NL31_AGENT_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE

# The name of the user that the agent becomes; rcS gives the number.
define NL31_AGENT_USERS
	nl31 31 nl31 31 * - - - nl31 agent
endef

# For the legal report Buildroot would copy the tree once more, without the
# exclusions below, and with all that cargo ever built there.
NL31_AGENT_REDISTRIBUTE = NO

# .cargo is left out because the working tree's settings are for plain cargo,
# and because NL31_AGENT_VENDOR writes its own.
NL31_AGENT_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /.cargo --exclude /vendor

# rsync leaves what the working tree has no more, and skips what is older than its copy; cargo
# compiles what is newer than its outcome.
define NL31_AGENT_DROP_SOURCES
	find $(@D) -mindepth 1 -maxdepth 1 ! -name '.*' ! -name target ! -name vendor \
		-exec rm -rf {} +
endef
NL31_AGENT_PRE_RSYNC_HOOKS += NL31_AGENT_DROP_SOURCES
define NL31_AGENT_TOUCH_SOURCES
	find $(@D)/agent -type f -exec touch {} +
endef
NL31_AGENT_POST_RSYNC_HOOKS += NL31_AGENT_TOUCH_SOURCES

# Buildroot vendors the crates of what it downloads; this package is not
# downloaded. The crates come to Buildroot's own CARGO_HOME, in BR2_DL_DIR, so
# they are fetched once, and Cargo.lock has the checksum of each.
define NL31_AGENT_VENDOR
	mkdir -p $(BR_CARGO_HOME) $(@D)/.cargo
	cd $(@D) && \
		$(TARGET_MAKE_ENV) $(PKG_COMMON_CARGO_ENV) \
		flock $(BR_CARGO_HOME)/.br-lock \
		cargo vendor --locked vendor >.cargo/config.toml.new
	mv $(@D)/.cargo/config.toml.new $(@D)/.cargo/config.toml
endef
NL31_AGENT_PRE_BUILD_HOOKS += NL31_AGENT_VENDOR

# The legal report gets the licences and notices of the crates in the program, and those
# that Rust comes with for its library and the musl in it. They are known when it is built.
NL31_AGENT_NOTICES_DIR = $(LICENSE_FILES_DIR_TARGET)/nl31-agent-$(NL31_AGENT_VERSION)
define NL31_AGENT_WRITE_NOTICES
	mkdir -p $(NL31_AGENT_NOTICES_DIR)
	cd $(NL31_AGENT_DIR) && \
		$(TARGET_MAKE_ENV) $(PKG_COMMON_CARGO_ENV) \
		$(NL31_AGENT_PKGDIR)/notices.sh nl31-agent $(RUSTC_TARGET_NAME) vendor \
		>$(NL31_AGENT_NOTICES_DIR)/crates
	cp $(HOST_DIR)/share/doc/rust/COPYRIGHT* $(HOST_DIR)/share/doc/rust/LICENSE* \
		$(NL31_AGENT_NOTICES_DIR)
endef
define NL31_AGENT_NOTICES
	$(if $(wildcard $(NL31_AGENT_DIR)/vendor),$(NL31_AGENT_WRITE_NOTICES),\
		$(Q)echo "WARNING: nl31-agent: the notices of its crates are there when it is built" \
		>>$(LEGAL_WARNINGS))
endef
NL31_AGENT_POST_LEGAL_INFO_HOOKS += NL31_AGENT_NOTICES

# cargo-package replaces these settings of the workspace's release profile; of
# the others it lets BR2_ENABLE_LTO decide about link-time optimisation.
NL31_AGENT_CARGO_ENV = CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
# `version` tells it, and post-build.sh compares it with the image's
NL31_AGENT_CARGO_ENV += NL31_BUILD_ID="$$($(NL31_AGENT_SITE)/board/common/build-id.sh)"
ifeq ($(BR2_OPTIMIZE_S),y)
NL31_AGENT_CARGO_ENV += CARGO_PROFILE_RELEASE_OPT_LEVEL=z
endif

# What .cargo/config.toml has of the linker, with the reasons. Rust brings it.
NL31_AGENT_CARGO_TARGET = CARGO_TARGET_$(call UPPERCASE,$(RUSTC_TARGET_NAME))
NL31_AGENT_CARGO_ENV += \
	$(NL31_AGENT_CARGO_TARGET)_LINKER=rust-lld \
	$(NL31_AGENT_CARGO_TARGET)_RUSTFLAGS="-C link-arg=--icf=all -C relocation-model=static"

# `cargo install` knows bin/ only.
define NL31_AGENT_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 \
		$(@D)/target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)/nl31-agent \
		$(TARGET_DIR)/usr/sbin/nl31-agent
endef

$(eval $(cargo-package))

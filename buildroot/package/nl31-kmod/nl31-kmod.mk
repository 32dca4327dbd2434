################################################################################
#
# nl31-kmod
#
################################################################################

# SPDX-License-Identifier: MIT OR Apache-2.0

NL31_KMOD_VERSION = 0.1.0
NL31_KMOD_SITE = $(realpath $(BR2_EXTERNAL_NL31_PATH)/../kmod)
NL31_KMOD_SITE_METHOD = local
NL31_KMOD_LICENSE = GPL-2.0, GPL-2.0 with Linux-syscall-note or MIT (nl31.h)
NL31_KMOD_LICENSE_FILES = LICENSE-GPL-2.0 LICENSE-MIT LICENSE-SYSCALL-NOTE

# The kernel extension builds it, as part of the kernel.
NL31_KMOD_INSTALL_TARGET = NO

# rsync leaves what the working tree has no more, and skips what is older than its copy.
define NL31_KMOD_DROP_SOURCES
	find $(@D) -mindepth 1 -maxdepth 1 ! -name '.*' -exec rm -rf {} +
endef
NL31_KMOD_PRE_RSYNC_HOOKS += NL31_KMOD_DROP_SOURCES

# The licences are at the top of the working tree, beside kmod/.
define NL31_KMOD_COPY_LICENSES
	cp $(addprefix $(NL31_KMOD_SITE)/../,$(NL31_KMOD_LICENSE_FILES)) $(@D)
endef
NL31_KMOD_POST_RSYNC_HOOKS += NL31_KMOD_COPY_LICENSES

define NL31_KMOD_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NL31)
endef

$(eval $(generic-package))

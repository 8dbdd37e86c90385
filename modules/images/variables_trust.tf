# Who must have signed the images: a plan fails where somebody else has, or nobody.

variable "trust" {
  description = <<-EOT
    Who must have signed which images. The first of `rules` whose `sources` (patterns as in `allowed_sources`) match
    counts. A signer is a `key` (PEM, or a file), or an `identity` or `identity_regexp` with its `issuer`. One of
    `signers` must have signed, or each of them with `all`. `attestations` are required predicate types, with an
    optional `value` of a `field`. `default` applies to all other sources: `refuse` or `accept`. `trusted_root` is the
    file of a private Sigstore, for all rules or one. `refresh` updates the keys of the public one. Needs
    imagesync-cli[sigstore].
  EOT
  type = object({
    default      = optional(string, "refuse")
    trusted_root = optional(string)
    refresh      = optional(bool, false)
    rules = list(object({
      sources      = list(string)
      signers      = list(map(string))
      all          = optional(bool, false)
      attestations = optional(list(map(string)), [])
      trusted_root = optional(string)
    }))
  })
  default  = { default = "accept", rules = [] }
  nullable = false

  validation {
    condition     = contains(["refuse", "accept"], var.trust.default)
    error_message = "trust.default is \"refuse\" or \"accept\"; it is ${jsonencode(var.trust.default)}."
  }
}

variable "verify_trust" {
  description = <<-EOT
    Which images a plan verifies: `changes` verifies what it copies, and images in place that are new, or whose `source`
    or `trust` has changed. `always` verifies all.
  EOT
  type        = string
  default     = "changes"
  nullable    = false

  validation {
    condition     = contains(["changes", "always"], var.verify_trust)
    error_message = "verify_trust is \"changes\" or \"always\"; it is ${jsonencode(var.verify_trust)}."
  }
}

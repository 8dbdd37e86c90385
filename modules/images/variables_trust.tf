# Who must have signed the images: a plan fails where somebody else has, or nobody.

variable "trust" {
  description = <<-EOT
    Who must have signed which images. Of `rules` the first whose `sources` (patterns as in `allowed_sources`) name the
    source counts. Each of its `signers` is a `key` (PEM, or a file), or an `identity` or `identity_regexp` with its
    `issuer`; one of them must have signed, with `all` each. `attestations` are predicate types that must be there, with
    a `value` in a `field`. `default` says what becomes of all other sources: `refuse` or `accept`. `trusted_root` is
    the file of a private Sigstore, for all rules or one; `refresh` brings the public one's keys up to date. Needs
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
    Which images a plan verifies by the rules of `trust`: `changes`, those that come in, at a new digest or under new
    rules; or `always` all of them.
  EOT
  type        = string
  default     = "changes"
  nullable    = false

  validation {
    condition     = contains(["changes", "always"], var.verify_trust)
    error_message = "verify_trust is \"changes\" or \"always\"; it is ${jsonencode(var.verify_trust)}."
  }
}

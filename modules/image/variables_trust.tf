variable "trust" {
  description = "Who must have signed the image: rules as in modules/images."
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
  default = { default = "accept", rules = [] }
}

variable "verify_trust" {
  description = "Whether a plan verifies the image only when it or `trust` changes (`changes`), or `always`."
  type        = string
  default     = "changes"
}

# What is said: what a plan changes, why, and how much moves. A resource's address alone would not tell.

locals {
  # Which images are planned for the first time. A plan with -refresh-only may not have them yet. Objects that are older
  # than this have no time, but null, or what else was there. Not try(): Terraform 1.5 takes its result as unknown until
  # all of the object that it looks into is known.
  found_times   = { for key, image in terraform_data.image : key => jsonencode(image.triggers_replace) }
  first_planned = { for key, time in local.found_times : key => try(nonsensitive(time), time) }
  now           = jsonencode(plantimestamp())
  planned       = merge({ for key in keys(local.pinned) : key => local.now }, local.first_planned) # lookup() is slower
  is_new        = { for key, name in local.pinned : name => local.planned[key] == local.now }

  # Why each image changes. A conditional instead of ||, which would be unknown where a prefix is: what is new changes,
  # wherever it goes.
  change = {
    for name, is_new in local.is_new : name => is_new ? (
      local.present[name].digest == "" ? "new" :
      local.present[name].digest == local.digests[name] ? "adopted" : "moved"
      ) : (
      local.present[name].digest == "" ? "missing" :
      local.present[name].digest != local.digests[name] ? "overwritten" :
      local.damage[name] != "" ? "damaged" : "incomplete"
    )
    if is_new ? true : !local.in_sync[name]
  }

  in_words = {
    for name, change in local.change : name => {
      new = "is new, from ${local.shown_source[name]}"
      adopted = join("", [
        "is there already, ", contains(local.staying, name) ? "" : "as ${local.shown_source[name]} is, ",
        "and is taken over",
        " (if another state has it too, remove it there with on_destroy = \"keep\")",
      ])
      # Whose image is there, and whether it was brought there or the destination is another one, no plan can know.
      moved = join(" ", compact([
        "has another image and moves from", substr(local.present[name].digest, 0, 19),
        "to", substr(local.digests[name], 0, 19),
        var.on_replace == "retag" ? "and the old one gets a tag of its own" : "",
      ]))
      missing     = "is missing at its destination"
      overwritten = "has another image, ${local.present[name].digest}, at its destination"
      damaged     = "is damaged (${local.damage[name]})"
      incomplete = join("", [
        "is there, but ${length(local.missing[name])} ",
        length(local.missing[name]) == 1 ? "referrer is missing" : "referrers are missing",
      ])
    }[change]
  }
  # What is put back is in the repository still, or not at all.
  copies = {
    for name in keys(local.change) : name => contains(local.staying, name) ? null : try(local.present[name].copy, null)
  }
  how_much = {
    for name, copy in local.copies : name =>
    try(copy.error, "") == "" ? try(copy.summary, "") : "how much to copy is not known: ${copy.error}"
  }

  changes = {
    for name, change in local.change : name => {
      change         = change
      destination    = local.destinations[name]
      from           = local.present[name].digest
      to             = local.digests[name]
      layers         = try(local.copies[name].layers, null)
      layers_to_copy = try(local.copies[name].layers_to_copy, null)
      bytes          = try(local.copies[name].bytes, null)
      bytes_to_copy  = try(local.copies[name].bytes_to_copy, null)
      summary        = join(": ", compact([local.in_words[name], local.how_much[name], local.signed[name]]))
    }
  }

  # What somebody has done outside comes first. Lines that begin with a space are not broken by Terraform.
  told = concat(
    ["overwritten", "missing", "damaged", "incomplete"], var.explain == "drift" ? [] : ["moved", "new", "adopted"],
  )
  explained = flatten([
    for change in local.told : [
      for name in keys(local.change) : join(":\n    ", compact([
        "  ${name} ${local.in_words[name]}", join("; ", compact([local.how_much[name], local.signed[name]])),
      ])) if local.change[name] == change
    ]
  ])
  how_many = format("Not an error: this plan changes %d of %d %s%s:",
    length(local.explained), length(local.entries), length(local.entries) == 1 ? "image" : "images",
    local.shown_prefix == "" ? "" : " in ${local.shown_prefix}",
  )
  bytes_to_copy = sum(concat([0], [for each in values(local.changes) : coalesce(each.bytes_to_copy, 0)]))
  size_to_copy = (
    local.bytes_to_copy < 1000000 ? format("%.1f kB", local.bytes_to_copy / 1000) :
    local.bytes_to_copy < 1000000000 ? format("%.1f MB", local.bytes_to_copy / 1000000) :
    format("%.1f GB", local.bytes_to_copy / 1000000000)
  )
}

# A warning of the plan.
check "changes" {
  assert {
    condition = length(local.explained) == 0
    error_message = join("\n", concat(
      [local.how_many, ""],
      slice(local.explained, 0, min(50, length(local.explained))),
      length(local.explained) > 50 ? ["  and ${length(local.explained) - 50} more."] : [],
      length(local.explained) > 1 && local.bytes_to_copy > 0 ? ["", "${local.size_to_copy} to copy in all."] : [],
    ))
  }
}

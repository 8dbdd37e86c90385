# What is refused: imagesync says why, in sentences; here they get the name of their entry.

locals {
  # By the source and the configuration, known whatever the prefix is; and by the destination and the image itself.
  # One text for several rules, for each precondition costs a plan of 500 images a fifth of a second.
  refused = {
    for name in keys(local.entries) : name => join("\n\n", [
      for why in contains(local.told_there, name) ? [] : concat(
        local.digests[name] != "" || local.wanted[name].error == "" ? [] : [
          "the source ${local.shown_asked[name]} is ${local.wanted[name].kind}: ${local.wanted[name].error}"
        ],
        try(local.wanted[name].refused, []), try(local.trusted[name].refused, []), try([local.forgotten[name]], []),
      ) : "images[${jsonencode(local.entries[name].answer)}]${lookup(local.and_sources, name, "")}: ${why}"
    ])
  }
  why_objected = {
    for name in keys(local.entries) : name => concat(
      try(local.present[name].refused, []), try(local.foreign[name], []), try(local.wait[name], []),
    )
  }
  objections = {
    for name, why in local.why_objected : name => join("\n\n", [
      for each in why : "images[${jsonencode(name)}]${lookup(local.and_destinations, name, "")}: ${each}"
    ])
  }

  # What one cause keeps from us, like a login that is missing, is one error, which names the first of these images. The
  # others keep their objects, in a plan that fails for the first: a destroy evaluates what names their keys.
  sources_alike = {
    for name, each in local.wanted : try(each.cause, "") => name...
    if local.digests[name] == "" && try(each.cause, "") != "" && length(try(each.refused, [])) == 0 && (
      local.entries[name].tells
    )
  }
  destinations_alike = {
    for name, why in local.why_objected : try(local.present[name].cause, "") => name...
    if length(why) == 1 && try(local.present[name].cause, "") != ""
  }
  shown_away = [
    for name in local.unavailable : name
    if !contains(local.unlisted, local.entries[name].answer) || local.damage[name] != ""
  ]
  away_alike = { for name in local.shown_away : try(local.wanted[name].cause, name) => name... }
  told_there = concat(
    flatten([for names in values(local.sources_alike) : slice(names, 1, length(names))]),
    [for name, each in local.entries : name if !each.tells],
  )
  told_away = flatten([for names in values(local.away_alike) : slice(names, 1, length(names))])
  and_sources = {
    for names in values(local.sources_alike) : names[0] => " and ${length(names) - 1} more (${join(
      ", ", concat(slice(names, 1, min(4, length(names))), length(names) > 4 ? ["…"] : [])
    )})" if length(names) > 1
  }
  and_destinations = {
    for names in values(local.destinations_alike) : names[0] => " and ${length(names) - 1} more (${join(
      ", ", concat(slice(names, 1, min(4, length(names))), length(names) > 4 ? ["…"] : [])
    )})" if length(names) > 1
  }

  # A message with a sensitive value would be withheld, with a warning for each. What is shown here is no secret.
  shown_prefix = try(nonsensitive(var.destination_prefix), var.destination_prefix)
  shown_source = { for name, image in local.entries : name => try(nonsensitive(image.source), image.source) }
  shown_asked = {
    for name, image in local.entries : name => image.answer == name ? local.shown_source[name] : (
      try(nonsensitive(local.asked[image.answer].reference), local.asked[image.answer].reference)
    )
  }
  shown_destination = { for name, place in local.destinations : name => try(nonsensitive(place), place) }
}

check "source_available" {
  assert {
    condition = length(local.unavailable) == 0
    error_message = join("\n\n", concat(
      [
        for key in setsubtract(local.unlisted, local.unpicked) : join("", [
          "images[${jsonencode(key)}]: the tags are ", local.lists[key].kind, ", so the images that were picked last ",
          "stay as they are (${join(", ", local.picks[key][*].tag)}): ", local.lists[key].error,
        ])
      ],
      [
        for name in local.shown_away : join("", [
          local.shown_source[name], " is ", local.wanted[name].kind, ", so ",
          local.shown_destination[name], local.stays_how[name],
          contains(local.told_away, name) ? ", for the same reason." : ": ${local.wanted[name].error}",
        ])
      ],
    ))
  }
}

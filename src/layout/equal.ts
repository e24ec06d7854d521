// Equality of configuration records by content: plain objects, arrays, numbers, strings, null.
// Parts that two configurations share are the same objects, so equality is mostly decided at once.

export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && equalLists(a, b)
  }
  if (a instanceof Map && b instanceof Map) return equalMaps(a, b)
  const left = Object.entries(a)
  if (left.length !== Object.keys(b).length) return false
  return left.every(
    ([key, value]) => key in b && equal(value, (b as Readonly<Record<string, unknown>>)[key]),
  )
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i]))
}

function equalMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) if (!b.has(key) || !equal(value, b.get(key))) return false
  return true
}

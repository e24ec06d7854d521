// The tables of kinds in docs/protocol.md: what each kind of a union is on the wire.
import { readFileSync } from 'node:fs'

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')

/** By kind its number, from the table under that heading. */
export function documentedKinds(heading: string): ReadonlyMap<string, number> {
  const section = document.split(`${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const rows = [...section.matchAll(/^\| (\d+) +\| `([a-z-]+)` +\|/gm)]
  return new Map(rows.map(row => [row[2]!, Number(row[1])]))
}

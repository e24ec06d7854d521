// Plays test/scenarios/raft/*.txt and compares everything that happens with what is written there.
// `SCENARIOS=rewrite npx tsx test/manager/raft/scenarios.test.ts` writes what happens instead: the
// difference is then reviewed like any other change.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { playScenario } from './scenario.js'

const FOLDER = fileURLToPath(new URL('../../scenarios/raft', import.meta.url))
const REWRITE = process.env['SCENARIOS'] === 'rewrite'

for (const name of readdirSync(FOLDER).sort()) {
  test(name, t => {
    const file = join(FOLDER, name)
    const expected = readFileSync(file, 'utf8')
    const played = playScenario(expected)
    if (REWRITE) writeFileSync(file, played)
    const lines = played.split('\n')
    const wanted = (REWRITE ? played : expected).split('\n')
    const first = wanted.findIndex((line, i) => line !== lines[i])
    const at = first < 0 && lines.length > wanted.length ? wanted.length : first
    t.equal(lines[at], wanted[at], `as written${at < 0 ? '' : `, line ${at + 1}`}`)
    t.ok(played.includes('\n> ') || played.startsWith('> '), 'something is played')
    t.end()
  })
}

// The table of operations is consistent in itself, and docs/protocol.md tells the same.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { operationNames, operationOf, operations } from '../../src/net/operations.js'

const document = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')

test('numbers are unique, fit their byte, and lead back to the operation', t => {
  const numbers = operationNames.map(name => operations[name].number)
  t.equal(new Set(numbers).size, numbers.length)
  t.ok(numbers.every(number => Number.isInteger(number) && number > 0 && number <= 0xfc))
  t.deepEqual(
    operationNames.map(name => operationOf(operations[name].number)),
    operationNames,
  )
  t.equal(operationOf(250), undefined)
  t.end()
})

test('who may send what', t => {
  for (const name of operationNames) {
    const { from, to, path, epochRule } = operations[name]
    const whole = from.length > 0 && to.length > 0
    // Whatever belongs to an allocation is data among storage servers; clients judge by epochs.
    const shard = epochRule === 'none' || (path === 'data' && to.join() === 'storage')
    const client = epochRule !== 'client' || from.join() === 'client'
    t.ok(whole && shard && client, name)
  }
  t.deepEqual(operations.configuration.from, ['manager'], 'only managers say what is')
  t.end()
})

test('docs/protocol.md has the same table', t => {
  const columns = ['(\\d+)', '`([a-z-]+)`', '(\\w+) → (\\w+)', '(\\w+)', '(\\w+)', '(yes|no)']
  const row = new RegExp(`^\\| ${columns.join(' +\\| ')} +\\|$`, 'gm')
  const documented = [...document.matchAll(row)].map(match => match.slice(1, 8).join(' '))
  const who = (roles: readonly string[]): string => (roles.length === 3 ? 'anyone' : roles.join())
  const actual = operationNames.map(name => {
    const { number, from, to, path, epochRule, reply } = operations[name]
    const answer = reply === null ? 'no' : 'yes'
    return [number, name, who(from), who(to), path, epochRule, answer].join(' ')
  })
  const byNumber = (a: string, b: string): number => parseInt(a) - parseInt(b)
  t.deepEqual(documented.sort(byNumber), actual.sort(byNumber))
  for (const name of operationNames) {
    t.ok(document.split('### Messages')[1]?.includes(`\`${name}\``), `${name}: its fields`)
  }
  t.end()
})

import test from 'tape'
import { linearizable, type Call } from './linearizable.js'

/** 'w 0-1=5 [0,3]' or 'r 0-1=5,0 [1,9]' or 'w 1=4 [2,' for one that never ends; one a line. */
function history(text: string): Call[] {
  return text
    .trim()
    .split('\n')
    .map(line => {
      const found = /(\w) (\d+)=([\d,]+) \[([\d.]+),([\d.]*)/.exec(line)
      if (!found) throw new Error(line)
      const [, kind, first, values, from, until] = found
      return {
        kind: kind === 'w' ? ('write' as const) : ('read' as const),
        first: Number(first),
        values: values!.split(',').map(Number),
        from: Number(from),
        until: until === '' ? Infinity : Number(until),
        who: 'c',
      }
    })
}

function verdict(text: string): string {
  const found = linearizable(history(text), 4)
  return found.kind === 'no' ? `no at ${found.call.from}` : found.kind
}

test('histories that one register could have', t => {
  t.equal(verdict('r 0=0,0 [1,2]'), 'yes', 'nothing was written')
  t.equal(verdict('w 0=1,1 [1,2]\nr 0=1,1,0 [3,4]'), 'yes', 'a write, then a read')
  t.equal(verdict('w 0=1 [1,5]\nr 0=0 [2,3]\nr 0=1 [4,4.5]'), 'yes', 'it happens in between')
  t.equal(verdict('w 0=1 [1,9]\nw 0=2 [1,9]\nr 0=1 [10,11]'), 'yes', 'either order')
  t.equal(verdict('w 0=1 [1,\nr 0=0 [2,3]\nr 0=1 [4,5]'), 'yes', 'late, though nobody was told')
  t.equal(verdict('w 0=1 [1,\nr 0=0 [2,3]'), 'yes', 'never')
  t.equal(verdict('w 0=1,1 [1,5]\nw 1=2,2 [1,5]\nr 0=1,2,2 [6,7]'), 'yes', 'one over the other')
  t.end()
})

test('histories that no register could have', t => {
  t.equal(verdict('w 0=1 [1,2]\nr 0=0 [3,4]'), 'no at 3', 'old after new')
  t.equal(verdict('w 0=1 [1,9]\nr 0=1 [2,3]\nr 0=0 [4,5]'), 'no at 4', 'new, then old')
  t.equal(verdict('w 0=1 [1,\nr 0=1 [2,3]\nr 0=0 [4,5]'), 'no at 4', 'so with one that is open')
  t.equal(verdict('w 0=1,1 [1,9]\nr 0=1,0 [2,3]'), 'no at 2', 'half of a write')
  t.equal(verdict('w 0=1 [1,2]\nw 0=2 [3,4]\nr 0=1 [5,6]'), 'no at 5', 'a write that came back')
  t.equal(verdict('r 0=7 [1,2]'), 'no at 1', 'what nobody wrote')
  t.equal(
    verdict('w 0=1 [1,9]\nw 0=2 [1,9]\nr 0=1 [10,11]\nr 0=2 [12,13]'),
    'no at 12',
    'both orders at once',
  )
  t.equal(verdict('w 0=1,1 [1,5]\nw 1=2,2 [1,5]\nr 0=0,2,2 [6,7]'), 'no at 6', 'one is missing')
  t.end()
})

test('too many possible orders are said, not judged', t => {
  const writes = Array.from({ length: 18 }, (_, i) => `w ${i % 4}=${i + 1} [1,50]`)
  t.equal(verdict([...writes, 'r 0=99 [60,61]'].join('\n')), 'too many')
  t.end()
})

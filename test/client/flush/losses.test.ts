// Which FLUSHes say that acknowledged writes are gone.
import test from 'tape'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { Losses } from '../../../src/client/flush/losses.js'

const error = (text: string): SwarmdiskError => new SwarmdiskError('data-lost', text)

test('what is lost is said once, by the next FLUSH', t => {
  const losses = new Losses()
  t.equal(losses.flush()(), null)
  t.ok(losses.note(error('one')))
  t.notOk(losses.note(error('two')), 'one is to be said already')
  t.equal(losses.flush()()?.message, 'one')
  t.equal(losses.flush()(), null)
  t.ok(losses.note(error('three')))
  t.equal(losses.flush()()?.message, 'three')
  t.end()
})

test('and by all that were under way', t => {
  const losses = new Losses()
  const [first, second] = [losses.flush(), losses.flush()]
  losses.note(error('one'))
  t.equal(first()?.message, 'one')
  const later = losses.flush()
  t.equal(second()?.message, 'one', 'it may have to cover it')
  t.equal(later(), null, 'this one began when it had been said')
  t.end()
})

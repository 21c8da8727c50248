// Peer: Express 5 + Prisma 7 (query compiler, pg driver adapter), as teams write it.
import express from 'express';
import jwt from 'jsonwebtoken';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './generated/client.mjs';

const { PORT, BENCH_DSN, BENCH_SECRET, BENCH_POOL } = process.env;
const db = new PrismaClient({ adapter: new PrismaPg({ connectionString: BENCH_DSN, max: +BENCH_POOL }) });
const teacher = { select: { id: true, name: true } };
const card = { id: true, title: true, summary: true, category: true, price: true, publishedAt: true, teacher };

const app = express();
app.disable('x-powered-by');
app.disable('etag'); // in the peer's favour: no hash of each body
app.use(express.json());

const signedIn = (req, res, next) => {
  const header = req.headers.authorization || '';
  try {
    req.user = jwt.verify(header.slice(7), BENCH_SECRET, { algorithms: ['HS256'] });
  } catch {
    return res.status(401).json({ error: 'unauthorized' });
  }
  next();
};

app.get('/ping', (req, res) => res.json({ ok: true }));

app.get('/courses', async (req, res) => {
  const take = Math.min(+(req.query.limit ?? 20), 100);
  const skip = +(req.query.offset ?? 0);
  if (!(take > 0) || !(skip >= 0)) return res.status(400).json({ error: 'bad page' });
  const items = await db.course.findMany({
    where: { status: 'published' }, orderBy: [{ publishedAt: 'desc' }, { id: 'desc' }], take, skip, select: card,
  });
  res.json({ items });
});

app.get('/courses/:id', async (req, res) => {
  const course = await db.course.findFirst({
    where: { id: +req.params.id, status: 'published' }, select: { ...card, description: true },
  });
  course ? res.json(course) : res.status(404).json({ error: 'not found' });
});

app.post('/enrollments', signedIn, async (req, res) => {
  const [status, body] = await enroll(+req.user.sub, +req.body.courseId);
  res.status(status).json(body);
});

async function enroll(userId, courseId) {
  try {
    return await db.$transaction(async (tx) => {
      const course = await tx.course.findFirst({ where: { id: courseId, status: 'published' }, select: { price: true } });
      if (!course) return [404, { error: 'no course' }];
      const [wallet] = await tx.$queryRaw`SELECT balance FROM wallets WHERE user_id = ${userId} FOR UPDATE`;
      if (!wallet || wallet.balance < course.price) return [402, { error: 'balance' }];
      const left = await tx.wallet.update({ where: { userId }, data: { balance: { decrement: course.price } } });
      const made = await tx.enrollment.create({ data: { userId, courseId, price: course.price } });
      await tx.ledger.create({ data: { userId, amount: -course.price, balance: left.balance, kind: 'enroll', refId: made.id } });
      return [201, { id: made.id, balance: left.balance }];
    });
  } catch (error) {
    if (error.code === 'P2002') return [409, { error: 'enrolled' }];
    throw error;
  }
}

app.listen(+PORT, '127.0.0.1').keepAliveTimeout = 60_000;
process.on('SIGTERM', () => process.exit(0));

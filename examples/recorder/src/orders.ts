/** The service that owns the orders. It keeps them in PostgreSQL. */
import { createServer } from 'node:http';
import express from 'express';
import pg from 'pg';
import { serve } from './child.js';

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.POOL_MAX),
  idleTimeoutMillis: 60_000,
});
const itemsPerOrder = process.env.ITEMS_PER_ORDER === 'yes';

const app = express();
app.use(express.json());

const ITEMS = `SELECT i.order_id, i.product_id, p.name, i.quantity, i.unit_price_cents
  FROM order_items i JOIN products p ON p.id = i.product_id`;

app.get('/orders/:id', async (req, res) => {
  const id = Number(req.params.id);
  const order = await pool.query('SELECT id, customer_id, status, total_cents, placed_at FROM orders WHERE id = $1', [id]);
  if (order.rowCount === 0) return void res.status(404).json({ error: 'no such order' });
  const items = await pool.query(`${ITEMS} WHERE i.order_id = $1`, [id]);
  res.json({ ...order.rows[0], items: items.rows });
});

app.get('/customers/:id/orders', async (req, res) => {
  const { rows: orders } = await pool.query(
    `SELECT id, status, total_cents, placed_at, note FROM orders
  WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT 20`,
    [Number(req.params.id)],
  );
  if (itemsPerOrder) {
    for (const order of orders) {
      const items = await pool.query(`${ITEMS} WHERE i.order_id = $1`, [order.id]);
      order.items = items.rows;
    }
  } else {
    const items = await pool.query(`${ITEMS} WHERE i.order_id = ANY($1)`, [orders.map((order) => order.id)]);
    for (const order of orders) order.items = items.rows.filter((item) => item.order_id === order.id);
  }
  res.json(orders);
});

app.get('/customers/:id/summary', async (req, res) => {
  const { rows } = await pool.query(
    `SELECT date_trunc('month', o.placed_at) AS month, count(DISTINCT o.id) AS orders,
    sum(i.quantity * i.unit_price_cents) AS cents
  FROM orders o JOIN order_items i ON i.order_id = o.id
  WHERE o.customer_id = $1 GROUP BY 1 ORDER BY 1`,
    [Number(req.params.id)],
  );
  res.json(rows);
});

app.post('/orders', async (req, res) => {
  const { customerId, items } = req.body as { customerId: number; items: { productId: number; quantity: number }[] };
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const order = await client.query(
      `INSERT INTO orders (customer_id, status, total_cents, placed_at, note) VALUES ($1, 'new', 0, now(), '') RETURNING id`,
      [customerId],
    );
    await client.query(
      `INSERT INTO order_items (order_id, product_id, quantity, unit_price_cents)
  SELECT $1, p.id, l.quantity, p.price_cents
  FROM unnest($2::int[], $3::int[]) AS l (product_id, quantity) JOIN products p ON p.id = l.product_id`,
      [order.rows[0].id, items.map((item) => item.productId), items.map((item) => item.quantity)],
    );
    await client.query('COMMIT');
    res.status(201).json(order.rows[0]);
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
});

serve(createServer(app), () => pool.end());

"""Two trainings of Le Dojo that can be bought, one that is still being written, and a coupon for each person once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class _Training:
    """`published_ago` in days; None of a draft. Prices in CAD."""

    slug: str
    category: str
    title: str
    description: str
    price: str
    published_ago: int | None
    modules: tuple[str, ...]


_TRAININGS = (
    _Training(
        "ccvm-volume-1",
        "professionnels",
        "Cours sur le Commerce des Valeurs Mobilières (CCVM) Volume 1",
        "Toute la matière du premier examen du CCVM : leçons vidéo, quiz par chapitre et fiches de révision.",
        "299.00",
        60,
        (
            "Le secteur canadien des valeurs mobilières",
            "Les marchés financiers et leur réglementation",
            "L'économie et la politique économique",
            "Les titres à revenu fixe : caractéristiques et types",
            "Les titres à revenu fixe : calcul du prix et négociation",
            "Les actions ordinaires et privilégiées",
            "Les produits dérivés",
            "Les états financiers et le financement des sociétés",
        ),
    ),
    _Training(
        "bases-de-l-investissement",
        "investisseurs",
        "Les bases de l'investissement autonome",
        "Du CELI au premier portefeuille de fonds négociés en bourse, sans jargon et à votre rythme.",
        "149.00",
        20,
        (
            "Votre profil d'investisseur",
            "CELI, REER et CELIAPP : choisir le bon compte",
            "Actions, obligations et fonds négociés en bourse",
            "Bâtir et rééquilibrer un portefeuille",
        ),
    ),
    _Training(
        "financer-son-entreprise",
        "entrepreneurs",
        "Financer son entreprise",
        "Prêts, subventions et investisseurs : préparer un dossier qui tient la route.",
        "199.00",
        None,
        ("Évaluer ses besoins de financement", "Parler à son banquier"),
    ),
)


def insert_trainings(cursor: "psycopg.Cursor[Any]", id_of: Callable[..., UUID], today: datetime) -> None:
    """Write them with their modules; what is already there is left as it is. And a coupon."""
    cursor.executemany(
        """
        INSERT INTO trainings (id, slug, category_id, title_fr, description_fr, price_cad, state, created_at,
                               updated_at, published_at)
        SELECT %(id)s, %(slug)s, id, %(title)s, %(description)s, %(price)s, %(state)s, %(written)s, %(written)s,
               %(published)s
          FROM training_categories WHERE slug = %(category)s
        ON CONFLICT DO NOTHING
        """,
        [_row(training, id_of, today) for training in _TRAININGS],
    )
    cursor.executemany(
        """
        INSERT INTO modules (id, training_id, position, title_fr)
        VALUES (%(id)s, %(training)s, %(position)s, %(title)s)
        ON CONFLICT (id) DO NOTHING
        """,
        [
            {
                "id": id_of("module", training.slug, position),
                "training": id_of("training", training.slug),
                "position": position,
                "title": title,
            }
            for training in _TRAININGS
            for position, title in enumerate(training.modules, 1)
        ],
    )
    cursor.execute(
        """
        INSERT INTO coupons (id, product, code, type, value, max_per_person)
        VALUES (%(id)s, 'training', 'DOJO15', 'percent', 15, 1) ON CONFLICT DO NOTHING
        """,
        {"id": id_of("coupon", "DOJO15")},
    )


def _row(training: _Training, id_of: Callable[..., UUID], today: datetime) -> dict[str, Any]:
    published = None if training.published_ago is None else today - timedelta(days=training.published_ago)
    return {
        "id": id_of("training", training.slug),
        "slug": training.slug,
        "category": training.category,
        "title": training.title,
        "description": training.description,
        "price": training.price,
        "state": "published" if published else "draft",
        "written": published or today,
        "published": published,
    }
